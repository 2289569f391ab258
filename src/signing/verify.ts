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
}

/**
 * A check of signatures over the raw bytes as received.
 *
 * Compared as text in constant time, so that another spelling of the same MAC is refused; every key is tried.
 *
 * @throws {SluiceError} `signature-missing`, `signature-invalid`, `signature-expired`.
 */
export function createVerifier({ keys, now }: VerifierOptions): (claim: SignedClaim) => Promise<void> {
  return async ({ signed, signature, expires }) => {
    if (signature === undefined)
      throw new SluiceError('signature-missing', 'Cannot serve this URL: it needs a signature')
    let valid = false
    for (const key of keys) if (equalText(await macOf(key, signed), signature)) valid = true
    if (!valid)
      throw new SluiceError('signature-invalid', 'Cannot serve this URL: the signature does not fit')
    if (expires !== undefined && now() > expires)
      throw new SluiceError('signature-expired', 'Cannot serve this URL: it has expired')
  }
}

/** Constant time for texts of equal length; the length of a MAC is no secret. */
export function equalText(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
