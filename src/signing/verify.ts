import { SluiceError } from '../errors/index.ts'
import { macOf } from './sign.ts'

/** The part of a claim that a signature is about. */
export interface SignedClaim {
  readonly signed: string
  readonly signature: string | undefined
  readonly expires: number | undefined
}

export interface VerifierOptions {
  /** Hexadecimal; any of them may have signed. */
  readonly keys: readonly string[]
  /** Unix seconds. */
  readonly now: () => number
  /** Refuse URLs that never expire. Default `false`. */
  readonly requireExpiry?: boolean
}

/**
 * A check of signatures over the raw bytes as received.
 *
 * Compared as text in constant time, so that another spelling of the same MAC is refused; every key is tried.
 *
 * @throws {SluiceError} `signature-missing`, `signature-invalid`, `signature-expired`.
 */
export function createVerifier({
  keys,
  now,
  requireExpiry = false,
}: VerifierOptions): (claim: SignedClaim) => Promise<void> {
  return async ({ signed, signature, expires }) => {
    if (signature === undefined)
      throw new SluiceError('signature-missing', 'Cannot serve this URL: it needs a signature')
    if (!(await fits(keys, signed, signature)))
      throw new SluiceError('signature-invalid', 'Cannot serve this URL: the signature does not fit')
    if (expires === undefined && requireExpiry)
      throw new SluiceError('signature-expired', 'Cannot serve this URL: it needs an expiry ("exp")')
    if (expires !== undefined && now() > expires)
      throw new SluiceError('signature-expired', 'Cannot serve this URL: it has expired')
  }
}

/** 32 bytes in base64url without padding. */
const MAC = /^[A-Za-z0-9_-]{43}$/

/** Whether the MAC of a text was made by one of the keys. All keys are tried, whichever fits. */
export async function fits(keys: readonly string[], text: string, mac: string): Promise<boolean> {
  // What cannot be a MAC costs nothing; its form is no secret.
  if (!MAC.test(mac)) return false
  let valid = false
  for (const key of keys) if (equalText(await macOf(key, text), mac)) valid = true
  return valid
}

/** Constant time for texts of equal length; the length of a MAC is no secret. */
export function equalText(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
