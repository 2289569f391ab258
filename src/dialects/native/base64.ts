import { malformed } from './malformed.ts'

/**
 * The text behind `b64:`, from canonical base64url without padding.
 *
 * @throws {SluiceError} `url-invalid` for any other spelling of the same bytes, and for bytes that are not UTF-8.
 * @see https://www.rfc-editor.org/rfc/rfc4648#section-5
 */
export function decodeBase64(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw malformed('the source after "b64:" is no base64url')
  let decoded: string
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('the source after "b64:" is no base64url of UTF-8 text')
  }
  // `atob` drops the unused bits of the last character: several texts would name the same source.
  if (encodeBase64(decoded) !== text)
    throw malformed('the source after "b64:" is not in its canonical spelling')
  return decoded
}

/** The inverse of `decodeBase64`. */
export function encodeBase64(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
