import { SluiceError } from '../../errors/index.ts'
import type { Claim } from '../define.ts'
import { malformed } from './malformed.ts'

const MAX_URL_BYTES = 8192
const EXPIRY = /^[1-9]\d{0,11}$/

/**
 * Slices a raw target into its signature (`s`) or policy (`p`), which come last, and what stands before them.
 *
 * Nothing is decoded, looked up or repaired: whether the rest is well spelled is asked after the signature.
 *
 * @param target Path and query of the request line, as received.
 * @throws {SluiceError} `url-too-long`; `url-invalid` for a byte that no canonical URL holds, for an empty pair
 *   in the query, and for a policy beside a signature or an expiry.
 */
export function claimNative(target: string): Claim {
  if (target.length > MAX_URL_BYTES)
    throw new SluiceError(
      'url-too-long',
      `Cannot read a URL of ${target.length} bytes: the limit is ${MAX_URL_BYTES}`,
    )
  if (!/^[\x21-\x7e]*$/.test(target)) throw malformed('it holds a byte that must be percent-encoded')
  if (!target.startsWith('/')) throw malformed('a path begins with "/"')
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const pairs = mark < 0 ? [] : target.slice(mark + 1).split('&')
  const signature = cut(pairs, 's=')
  const policy = cut(pairs, 'p=')
  const before = pairs.slice(0, Math.min(signature.at, policy.at))
  // A signature that follows an empty pair would cover the same bytes as one that follows none.
  if (before.includes('')) throw malformed('its query holds an empty pair')
  if (policy.text !== undefined && (signature.text !== undefined || pairs.some(isExpiry)))
    throw malformed('a policy stands without "s" and "exp"')
  const query = before.join('&')
  const unsigned = query === '' ? path : `${path}?${query}`
  const expires = before.find(isExpiry)?.slice('exp='.length) ?? ''
  return {
    scheme: 'native',
    signed: signature.text === undefined ? target : unsigned,
    signature: signature.text,
    policy: policy.text,
    // Any other spelling is refused by `parse`; until then the signature covers it as it stands.
    expires: EXPIRY.test(expires) ? Number(expires) : undefined,
    path,
    query,
  }
}

function isExpiry(pair: string): boolean {
  return pair.startsWith('exp=')
}

/** The first pair with this key, and everything behind it: what follows a signature belongs to it, and spoils it. */
function cut(
  pairs: readonly string[],
  key: string,
): { readonly at: number; readonly text: string | undefined } {
  const at = pairs.findIndex((pair) => pair.startsWith(key))
  return at < 0
    ? { at: pairs.length, text: undefined }
    : { at, text: pairs.slice(at).join('&').slice(key.length) }
}
