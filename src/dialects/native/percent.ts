import { SluiceError } from '../../errors/index.ts'

/** Bytes that stand for themselves in a value: `A–Z a–z 0–9 - . _ ~ : @ !`. */
const PLAIN = /^[A-Za-z0-9\-._~:@!]$/

/**
 * Takes percent-encoding off a value, refusing every spelling but the canonical one: a byte is encoded exactly
 * when it must be, in uppercase hexadecimal, and the result is UTF-8 without NUL.
 *
 * @param what Names the place, for the message.
 * @throws {SluiceError} `url-invalid`; `source-forbidden` for a NUL.
 */
export function decodeValue(text: string, what: string): string {
  if (/^[A-Za-z0-9\-._~:@!]*$/.test(text)) return text
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string
    if (char !== '%') {
      if (!PLAIN.test(char)) throw refuse(what, `"${char}" must be percent-encoded`)
      bytes.push(char.charCodeAt(0))
      continue
    }
    const hex = text.slice(at + 1, at + 3)
    if (!/^[0-9A-F]{2}$/.test(hex))
      throw refuse(what, 'percent-encoding takes two uppercase hexadecimal digits')
    const byte = Number.parseInt(hex, 16)
    // A plain byte that is encoded is another spelling of the same URL (%2E for a dot).
    if (byte < 0x80 && PLAIN.test(String.fromCharCode(byte)))
      throw refuse(what, `"%${hex}" must not be percent-encoded`)
    if (byte === 0) throw new SluiceError('source-forbidden', `Cannot use a NUL in ${what}`)
    bytes.push(byte)
    at += 2
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    throw refuse(what, 'it is not UTF-8')
  }
}

/** The canonical spelling of a value. */
export function encodeValue(text: string): string {
  let encoded = ''
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte)
    encoded += byte < 0x80 && PLAIN.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

function refuse(what: string, why: string): SluiceError {
  return new SluiceError('url-invalid', `Cannot read the value of "${what.slice(0, 40)}": ${why}`)
}
