import { SluiceError } from '../errors/index.ts'
import { fromHex, toBase64Url } from './bytes.ts'

/** HMAC-SHA-256 of UTF-8 text as canonical base64url without padding. @see https://www.rfc-editor.org/rfc/rfc2104 */
export async function macOf(keyHex: string, text: string): Promise<string> {
  const key = await importKey(keyHex)
  return toBase64Url(new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text))))
}

export interface SignOptions {
  /** Hexadecimal. */
  readonly key: string
  /** Unix seconds. */
  readonly expires?: number
}

/**
 * Signs a path with its query. The expiry leads the query and the signature ends it: the one order that is served.
 *
 * @throws {SluiceError} `parameter-invalid` for a target that holds a signature or policy, or an expiry beside `expires`.
 *
 * @example
 * await signTarget('/i/w=400/cat.jpg', { key }) // '/i/w=400/cat.jpg?s=…'
 */
export async function signTarget(target: string, { key, expires }: SignOptions): Promise<string> {
  if (/[?&][sp]=/.test(target))
    throw new SluiceError('parameter-invalid', 'Cannot sign this URL: it is signed already')
  if (expires !== undefined && /[?&]exp=/.test(target))
    throw new SluiceError('parameter-invalid', 'Cannot sign this URL: it has an expiry already')
  const dated = expires === undefined ? target : withExpiry(target, expires)
  return `${dated}${dated.includes('?') ? '&' : '?'}s=${await macOf(key, dated)}`
}

function withExpiry(target: string, expires: number): string {
  const mark = target.indexOf('?')
  return mark < 0
    ? `${target}?exp=${expires}`
    : `${target.slice(0, mark)}?exp=${expires}&${target.slice(mark + 1)}`
}

const imported = new Map<string, ReturnType<typeof crypto.subtle.importKey>>()

/** Keys come from the settings: a handful for the life of the process. */
function importKey(hex: string): ReturnType<typeof crypto.subtle.importKey> {
  const known = imported.get(hex)
  if (known !== undefined) return known
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = crypto.subtle.importKey('raw', fromHex(hex), algorithm, false, ['sign'])
  imported.set(hex, key)
  return key
}
