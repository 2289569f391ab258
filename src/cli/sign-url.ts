import { parseDuration } from '../config/index.ts'
import { type Action, native } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { Order } from '../recipe/index.ts'
import {
  checkPolicyOrder,
  createSourceCipher,
  isEncryptedSource,
  type SignedPolicy,
  signPolicy,
  signTarget,
} from '../signing/index.ts'
import { type Arguments, configOf } from './config-of.ts'

/**
 * `sluice sign <path or URL> … [--expires 1h] [--policy <json>] [--encrypt-source]`: each in the same form, one a line,
 * alone on stdout. With a policy and no path: the text for `p=`.
 */
export async function signUrl({ positional, flags, own }: Arguments): Promise<number> {
  if (positional.length === 0 && own.policy === undefined)
    throw new SluiceError('parameter-invalid', 'Expected: sluice sign <path or URL> … [--expires 1h]')
  const { config } = configOf(flags)
  const [key] = config.keys
  if (key === undefined) throw new SluiceError('config-invalid', 'SLUICE_KEYS: signing needs a key')
  const sourceKey = own['encrypt-source'] === undefined ? undefined : config.sourceKey
  if (own['encrypt-source'] !== undefined && sourceKey === undefined)
    throw new SluiceError('config-invalid', 'SLUICE_SOURCE_KEY: encrypting a source needs a key')
  const expires = expiryOf(own.expires)
  const policy = own.policy === undefined ? undefined : readPolicy(own.policy, expires)
  const token = policy === undefined ? undefined : await signPolicy(policy, { key })
  // All are judged before one is printed.
  const signed: string[] = positional.length === 0 && token !== undefined ? [token] : []
  for (const given of positional) {
    const { origin, target, order } = await readTarget(given, sourceKey)
    if (policy === undefined || token === undefined) {
      signed.push(origin + (await signTarget(target, { key, ...(expires === undefined ? {} : { expires }) })))
      continue
    }
    checkPolicyOrder(policy, order)
    if (/[?&]exp=/.test(target))
      throw new SluiceError(
        'parameter-invalid',
        `Cannot put "${given}" under a policy: it has an expiry of its own`,
      )
    signed.push(`${origin}${target}${target.includes('?') ? '&' : '?'}p=${token}`)
  }
  process.stdout.write(`${signed.join('\n')}\n`)
  return 0
}

interface Target {
  /** Scheme and host of an absolute URL; empty for a path. */
  readonly origin: string
  readonly target: string
  /** With its source in plain text. */
  readonly order: Order
}

/** What the service would refuse is not worth a signature: it is read as the service reads it. */
async function readTarget(given: string, sourceKey: string | undefined): Promise<Target> {
  const origin = /^https?:\/\/[^/?#]+/.exec(given)?.[0] ?? ''
  const target = given.slice(origin.length)
  const claim = native.claim(target)
  if (claim.signature !== undefined || claim.policy !== undefined)
    throw new SluiceError('parameter-invalid', `Cannot sign "${given}": it is signed already`)
  const { action, order } = native.parse(claim)
  if (sourceKey === undefined) return { origin, target, order }
  return { origin, target: await encrypted(action, order, claim.expires, sourceKey), order }
}

async function encrypted(
  action: Action,
  order: Order,
  expires: number | undefined,
  key: string,
): Promise<string> {
  if (order.source === undefined || isEncryptedSource(order.source))
    throw new SluiceError(
      'parameter-invalid',
      'Cannot encrypt the source: there is none, or it is encrypted already',
    )
  const source = `e:${await createSourceCipher(key).encrypt(order.source)}`
  const target = native.format(action, { ...order, source })
  if (expires === undefined) return target
  const [path, query] = target.split('?')
  return `${path}?exp=${expires}${query === undefined ? '' : `&${query}`}`
}

/** @returns Unix seconds. */
function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const lifetimeMs = parseDuration(text)
  if (lifetimeMs === undefined)
    throw new SluiceError(
      'parameter-invalid',
      `Cannot use --expires "${text}": expected a time such as 30m or 1h`,
    )
  return Math.floor((Date.now() + lifetimeMs) / 1000)
}

/** The JSON is checked when it is signed. */
function readPolicy(text: string, expires: number | undefined): SignedPolicy {
  let policy: SignedPolicy | null
  try {
    policy = JSON.parse(text) as SignedPolicy | null
  } catch {
    policy = null
  }
  if (policy === null || typeof policy !== 'object')
    throw new SluiceError(
      'policy-invalid',
      `Cannot read --policy: it is no JSON such as '{"prefix":"photos","maxW":1600}'`,
    )
  if (expires === undefined) return policy
  if (policy.exp !== undefined)
    throw new SluiceError('parameter-invalid', 'Cannot use --expires: the policy has an "exp" of its own')
  return { ...policy, exp: expires }
}
