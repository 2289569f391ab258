import type { Claim } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import { createVerifier, equalText } from '../signing/index.ts'

export interface PolicyOptions {
  readonly keys: readonly string[]
  readonly allowUnsigned: boolean
  readonly apiKeys: readonly string[]
  /** Whether the public listener is bound to a loopback address. */
  readonly loopback: boolean
}

/** What of a request the policy looks at. */
export interface Asked {
  readonly claim: Claim
  readonly upload: boolean
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/**
 * Who may ask: a signature, an API key on uploads, or a loopback listener that nobody stands in front of.
 *
 * @throws {SluiceError} `signature-*`, `unsigned-refused`, `api-key-invalid`.
 */
export function createPolicy({
  keys,
  allowUnsigned,
  apiKeys,
  loopback,
}: PolicyOptions): (asked: Asked) => Promise<void> {
  const verify = createVerifier({ keys, now: () => Math.floor(Date.now() / 1000) })
  return async ({ claim, upload, headers }) => {
    if (upload && apiKeys.length > 0 && claim.signature === undefined) {
      checkApiKey(String(headers.authorization ?? ''), apiKeys)
      return
    }
    if (keys.length > 0 && (claim.signature !== undefined || !allowUnsigned)) {
      await verify(claim)
      return
    }
    if (claim.signature !== undefined)
      throw new SluiceError(
        'signature-invalid',
        'Cannot check a signature: this service has no keys (SLUICE_KEYS)',
      )
    if (allowUnsigned) return
    if (!loopback || isForwarded(headers) || !isLoopbackHost(String(headers.host ?? ''))) {
      throw new SluiceError(
        'unsigned-refused',
        'Unsigned URLs are served on a loopback address only: set SLUICE_KEYS and sign, or SLUICE_ALLOW_UNSIGNED=true',
      )
    }
  }
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
