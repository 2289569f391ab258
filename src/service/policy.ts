import type { Claim } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import { createPolicyVerifier, createVerifier, equalText, type SignedPolicy } from '../signing/index.ts'

export interface PolicyOptions {
  readonly keys: readonly string[]
  readonly allowUnsigned: boolean
  readonly apiKeys: readonly string[]
  /** Whether every signature must end some day. */
  readonly requireExpiry: boolean
  /** Whether the public listener is bound to a loopback address. */
  readonly loopback: boolean
}

/** Who may ask, and for what. */
export interface Policy {
  /** @returns The bounds of the policy that was presented, if any. */
  (asked: Asked): Promise<SignedPolicy | undefined>
  /** Whether one with these headers may ask without a signature. */
  admitsUnsigned(headers: Asked['headers']): boolean
}

/** What of a request the policy looks at. */
export interface Asked {
  readonly claim: Claim
  readonly upload: boolean
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/**
 * Who may ask: a signature, a signed policy, an API key on uploads, or a loopback listener that nobody stands in front of.
 *
 * @returns The bounds of the policy that was presented, if any.
 * @throws {SluiceError} `signature-*`, `policy-invalid`, `unsigned-refused`, `api-key-invalid`.
 */
export function createPolicy({
  keys,
  allowUnsigned,
  apiKeys,
  requireExpiry,
  loopback,
}: PolicyOptions): Policy {
  const now = () => Math.floor(Date.now() / 1000)
  const verify = createVerifier({ keys, now, requireExpiry })
  const verifyPolicy = createPolicyVerifier({ keys, now, requireExpiry })
  const admitsUnsigned = (headers: Asked['headers']) =>
    allowUnsigned ||
    (keys.length === 0 && loopback && !isForwarded(headers) && isLoopbackHost(String(headers.host ?? '')))
  const judge = async ({ claim, upload, headers }: Asked): Promise<SignedPolicy | undefined> => {
    // One who brings a policy is held to it, even where nobody has to.
    if (claim.policy !== undefined) return verifyPolicy(claim.policy)
    if (upload && apiKeys.length > 0 && claim.signature === undefined) {
      checkApiKey(String(headers.authorization ?? ''), apiKeys)
      return undefined
    }
    if (keys.length > 0 && (claim.signature !== undefined || !allowUnsigned)) {
      await verify(claim)
      return undefined
    }
    if (claim.signature !== undefined)
      throw new SluiceError(
        'signature-invalid',
        'Cannot check a signature: this service has no keys (SLUICE_KEYS)',
      )
    if (!admitsUnsigned(headers)) {
      throw new SluiceError(
        'unsigned-refused',
        'Unsigned URLs are served on a loopback address only: set SLUICE_KEYS and sign, or SLUICE_ALLOW_UNSIGNED=true',
      )
    }
    return undefined
  }
  return Object.assign(judge, { admitsUnsigned })
}

function checkApiKey(authorization: string, apiKeys: readonly string[]): void {
  const given = authorization.replace(/^Bearer /i, '')
  let known = false
  for (const key of apiKeys) if (equalText(key, given)) known = true
  if (!known)
    throw new SluiceError(
      'api-key-invalid',
      'Cannot take this upload: it needs "Authorization: Bearer <key>" with a known key',
    )
}

function isForwarded(headers: Asked['headers']): boolean {
  return Object.keys(headers).some((name) => name === 'forwarded' || name.startsWith('x-forwarded-'))
}

/** Whether an address or host name is this machine itself. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name)
}
