import { parseDuration } from '../config/index.ts'
import { native } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import { signTarget } from '../signing/index.ts'
import { type Arguments, configOf } from './config-of.ts'

/** `sluice sign <path or URL> [--expires 1h]`: the signed one in the same form, alone on stdout. */
export async function signUrl({ positional, flags, own }: Arguments): Promise<number> {
  const [given, ...rest] = positional
  if (given === undefined || rest.length > 0)
    throw new SluiceError('parameter-invalid', 'Expected: sluice sign <path or URL> [--expires 1h]')
  const { config } = configOf(flags)
  const [key] = config.keys
  if (key === undefined) throw new SluiceError('config-invalid', 'SLUICE_KEYS: signing needs a key')
  const lifetimeMs = own.expires === undefined ? undefined : parseDuration(own.expires)
  if (own.expires !== undefined && lifetimeMs === undefined)
    throw new SluiceError(
      'parameter-invalid',
      `Cannot use --expires "${own.expires}": expected a time such as 30m or 1h`,
    )
  const origin = /^https?:\/\/[^/]+/.exec(given)?.[0] ?? ''
  const target = given.slice(origin.length)
  // What the service would refuse is not worth a signature.
  native.parse(native.claim(target))
  const expires = lifetimeMs === undefined ? {} : { expires: Math.floor((Date.now() + lifetimeMs) / 1000) }
  process.stdout.write(`${origin}${await signTarget(target, { key, ...expires })}\n`)
  return 0
}
