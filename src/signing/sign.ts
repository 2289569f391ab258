/** HMAC-SHA-256 of UTF-8 text as canonical base64url without padding. @see https://www.rfc-editor.org/rfc/rfc2104 */
export async function macOf(keyHex: string, text: string): Promise<string> {
  const key = await importKey(keyHex)
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text)))
  return btoa(String.fromCharCode(...mac))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

export interface SignOptions {
  /** Hexadecimal. */
  readonly key: string
  /** Unix seconds. */
  readonly expires?: number
}

/**
 * Signs a path with its query; `s` comes last.
 *
 * @example
 * await signTarget('/i/w=400/cat.jpg', { key }) // '/i/w=400/cat.jpg?s=…'
 */
export async function signTarget(target: string, { key, expires }: SignOptions): Promise<string> {
  const joint = target.includes('?') ? '&' : '?'
  const dated = expires === undefined ? target : `${target}${joint}exp=${expires}`
  return `${dated}${dated.includes('?') ? '&' : '?'}s=${await macOf(key, dated)}`
}

const imported = new Map<string, ReturnType<typeof crypto.subtle.importKey>>()

/** Keys come from the settings: a handful for the life of the process. */
function importKey(hex: string): ReturnType<typeof crypto.subtle.importKey> {
  const known = imported.get(hex)
  if (known !== undefined) return known
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = crypto.subtle.importKey('raw', bytesOf(hex), algorithm, false, ['sign'])
  imported.set(hex, key)
  return key
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}
