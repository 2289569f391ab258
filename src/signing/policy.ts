import { z } from 'zod'
import { SluiceError } from '../errors/index.ts'
import { OUTPUT_FORMATS } from '../recipe/index.ts'
import { fromBase64Url, toBase64Url } from './bytes.ts'
import { macOf } from './sign.ts'
import { fits } from './verify.ts'

const side = z.int().min(1).max(16_384)

/** What one signature lets a front end choose freely: exactly one of `src` and `prefix`, and bounds. */
export const policySchema = z
  .strictObject({
    src: z.string().min(1).max(2048).optional().describe('The one source.'),
    prefix: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .describe('Where sources begin: "photos", "name:", "https://host".'),
    maxW: side.optional().describe('Widest result, device px.'),
    maxH: side.optional().describe('Highest result, device px.'),
    formats: z
      .array(z.enum(OUTPUT_FORMATS))
      .min(1)
      .optional()
      .describe('Formats of the result; absent: any.'),
    presets: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/))
      .optional()
      .describe('Presets that may be named; absent: any.'),
    exp: z.int().min(1).max(999_999_999_999).optional().describe('Expiry, Unix seconds.'),
  })
  .refine(({ src, prefix }) => (src === undefined) !== (prefix === undefined), {
    error: 'expected either "src" or "prefix"',
  })

export type SignedPolicy = z.infer<typeof policySchema>

/** Keeps MACs of policies apart from those of URLs, which begin with "/". */
const LABEL = 'sluice-policy-1:'

/**
 * The text of `p=`: base64url of the policy as JSON, a dot, and HMAC-SHA-256 over label and text.
 *
 * @throws {SluiceError} `policy-invalid` for a policy that would not be accepted.
 *
 * @example
 * const p = await signPolicy({ prefix: 'photos', maxW: 1600 }, { key })
 * `/i/w=400/photos/cat.jpg?p=${p}`
 */
export async function signPolicy(policy: SignedPolicy, { key }: { readonly key: string }): Promise<string> {
  const json = JSON.stringify(readPolicy(policy))
  const text = toBase64Url(new TextEncoder().encode(json))
  return `${text}.${await macOf(key, LABEL + text)}`
}

export interface PolicyVerifierOptions {
  /** Hexadecimal; any of them may have signed. Without any, no policy is valid. */
  readonly keys: readonly string[]
  /** Unix seconds. */
  readonly now: () => number
  /** Refuse policies that never expire. Default `false`. */
  readonly requireExpiry?: boolean
}

/**
 * A check of policies over the text as received; nothing of it is parsed before its MAC fits.
 *
 * @throws {SluiceError} `policy-invalid`, `signature-expired`.
 */
export function createPolicyVerifier({
  keys,
  now,
  requireExpiry = false,
}: PolicyVerifierOptions): (text: string) => Promise<SignedPolicy> {
  return async (token) => {
    const [text = '', mac = '', ...rest] = token.split('.')
    if (rest.length > 0 || !(await fits(keys, LABEL + text, mac)))
      throw new SluiceError(
        'policy-invalid',
        'Cannot serve this URL: its policy is not signed by this service',
      )
    const policy = readPolicy(parseJson(text))
    if (policy.exp === undefined && requireExpiry)
      throw new SluiceError('signature-expired', 'Cannot serve this URL: its policy needs an expiry ("exp")')
    if (policy.exp !== undefined && now() > policy.exp)
      throw new SluiceError('signature-expired', 'Cannot serve this URL: its policy has expired')
    return policy
  }
}

function parseJson(text: string): unknown {
  try {
    const bytes = fromBase64Url(text)
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes ?? new Uint8Array()))
  } catch {
    throw new SluiceError('policy-invalid', 'Cannot read this policy: it is no base64url of JSON')
  }
}

/** @throws {SluiceError} `policy-invalid`, naming the field. */
function readPolicy(value: unknown): SignedPolicy {
  const parsed = policySchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path[0] === undefined ? '' : ` at "${String(issue.path[0])}"`
  throw new SluiceError('policy-invalid', `Cannot use this policy${field}: ${issue?.message}`)
}
