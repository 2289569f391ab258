import { SluiceError } from '../errors/index.ts'

/** What a source may be called: `products` of `products:123.jpg`. */
export const SOURCE_NAME = /^[a-z][a-z0-9-]{0,31}$/

/** Schemes and fixed words: no source of an operator may have them as its name. */
export const RESERVED_NAMES: readonly string[] = [
  'http',
  'https',
  's3',
  'gs',
  'az',
  'b64',
  'e',
  'data',
  'file',
  'default',
]

/**
 * Roots, buckets and chains share one set of names.
 *
 * @param groups Names by the setting they come from, as `SLUICE_ROOTS` or `SLUICE_S3_<NAME>_BUCKET`.
 * @throws {SluiceError} `config-invalid` for a name that two of them use.
 */
export function refuseSameNames(groups: Readonly<Record<string, readonly string[]>>): void {
  const owners = new Map<string, string>()
  for (const [setting, names] of Object.entries(groups))
    for (const name of names) {
      const owner = owners.get(name)
      if (owner !== undefined)
        throw new SluiceError('config-invalid', `${setting}: the name "${name}" is taken by ${owner}`)
      owners.set(name, setting)
    }
}
