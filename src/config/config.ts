import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { deliveryOptions } from '../delivery/index.ts'
import { engineOptions } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import { httpOptions } from '../http/index.ts'
import { describeAllowed, limitsOptions, nearest } from '../recipe/index.ts'
import { serviceOptions } from '../service/index.ts'
import { signingOptions } from '../signing/index.ts'
import { type BucketSettings, readBuckets, sourcesOptions } from '../sources/index.ts'
import { storeOptions } from '../store/index.ts'
import { commonOptions, laterOptions } from './later-options.ts'
import { parseBytes } from './units.ts'

const schema = z.strictObject({
  ...httpOptions.shape,
  ...sourcesOptions.shape,
  ...storeOptions.shape,
  ...deliveryOptions.shape,
  ...serviceOptions.shape,
  ...engineOptions.shape,
  ...limitsOptions.shape,
  ...signingOptions.shape,
  ...commonOptions.shape,
  ...laterOptions.shape,
})

/** Every setting, checked and with defaults. */
export type Config = z.infer<typeof schema> & {
  /** Named buckets, from variables alone. */
  readonly buckets: readonly BucketSettings[]
}

/** One setting as `sluice config` shows it. */
export interface Setting {
  readonly key: keyof z.infer<typeof schema>
  readonly env: string
  /** `--memory-budget` without the dashes. */
  readonly flag: string
  readonly unit: string
  readonly description: string
  readonly secret: boolean
  /** The part of Sluice that reads it is not built yet. */
  readonly later: boolean
  readonly schema: z.ZodType
}

/** Where a value came from. */
export type Origin = 'default' | 'environment' | 'file' | 'flag'

export interface Loaded {
  readonly config: Config
  readonly origins: ReadonlyMap<string, Origin>
  /** Variables that begin with `SLUICE_` and mean nothing. */
  readonly warnings: readonly string[]
}

interface Meta {
  readonly env: string
  readonly unit?: string
  readonly secret?: boolean
  readonly later?: boolean
}

/** All settings, in the order in which they are documented. */
export const settings: readonly Setting[] = Object.entries(schema.shape).map(([key, field]) => {
  // `describe` comes last and keeps what `meta` said before it.
  const meta = (field as z.ZodType).meta() as unknown as Meta & { description?: string }
  return {
    key: key as Setting['key'],
    env: meta.env,
    flag: meta.env.replace('SLUICE_', '').toLowerCase().replaceAll('_', '-'),
    unit: meta.unit ?? '',
    description: meta.description ?? '',
    secret: meta.secret === true,
    later: meta.later === true,
    schema: field as z.ZodType,
  }
})

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Flags without dashes: `memory-budget`. */
  readonly flags?: Readonly<Record<string, string>>
}

/**
 * Reads every setting once: flags win over the environment, that over the file, that over defaults.
 *
 * @throws {SluiceError} `config-invalid` with one line that names the setting.
 */
export function loadConfig({ env, flags = {} }: LoadOptions): Loaded {
  const file = readFile(flags.config ?? env.SLUICE_CONFIG)
  const values: Record<string, unknown> = {}
  const origins = new Map<string, Origin>()
  // Hosting platforms tell the port as PORT; an empty variable counts as none, here as everywhere.
  const envName = ({ env: name }: Setting): string =>
    name === 'SLUICE_PORT' && blank(env.SLUICE_PORT) === undefined ? 'PORT' : name
  for (const setting of settings) {
    const name = camel(setting.flag)
    const [origin, raw] = pick([
      ['flag', flags[setting.flag]],
      ['environment', blank(env[envName(setting)])],
      ['file', file[name]],
    ])
    origins.set(setting.key, origin)
    const value = raw === undefined ? undefined : typeof raw === 'string' ? readText(setting, raw) : raw
    const parsed = setting.schema.safeParse(value)
    if (!parsed.success)
      throw refuse(setting, origin === 'environment' ? envName(setting) : setting.env, raw, parsed.error)
    values[setting.key] = parsed.data
  }
  const names = settings.map(({ flag }) => camel(flag))
  for (const name of Object.keys(file))
    if (!names.includes(name)) throw unknown('the config file', name, names)
  const flagNames = [...settings.map(({ flag }) => flag), 'config']
  for (const name of Object.keys(flags))
    if (!flagNames.includes(name))
      throw unknown(
        'flags',
        `--${name}`,
        flagNames.map((flag) => `--${flag}`),
      )
  return {
    config: { ...values, buckets: readBuckets(env) } as unknown as Config,
    origins,
    warnings: strangers(env),
  }
}

function pick(candidates: readonly (readonly [Origin, unknown])[]): readonly [Origin, unknown] {
  return candidates.find(([, value]) => value !== undefined) ?? ['default', undefined]
}

function blank(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function camel(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** Text to the type that the setting's schema wants; what cannot be read stays text and is refused by it. */
function readText({ unit, schema: field, key }: Setting, text: string): unknown {
  const { type } = z.toJSONSchema(field, { io: 'input', unrepresentable: 'any' }) as { type?: string }
  if (unit === 'bytes') return parseBytes(text) ?? text
  if (type === 'boolean')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
  if (type === 'array') return text.split(',').map((item) => item.trim())
  if (type === 'object') return readPairs(text, key === 'presets' ? '|' : ',')
  if ((type === 'integer' || type === 'number' || unit === 'port') && /^-?\d+$/.test(text))
    return Number(text)
  return text
}

function readPairs(text: string, separator: string): unknown {
  const pairs = text.split(separator).map((pair) => {
    const at = pair.indexOf('=')
    return at <= 0 ? undefined : ([pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const)
  })
  return pairs.some((pair) => pair === undefined) ? text : Object.fromEntries(pairs as [string, string][])
}

function readFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined || path === '') return {}
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch (error) {
    throw new SluiceError(
      'config-invalid',
      `SLUICE_CONFIG: cannot read "${path}": ${(error as Error).message}`,
      { cause: error },
    )
  }
  throw new SluiceError('config-invalid', `SLUICE_CONFIG: "${path}" holds no JSON object`)
}

function refuse(
  { unit, secret, schema: field }: Setting,
  name: string,
  raw: unknown,
  error: z.ZodError,
): SluiceError {
  const [issue] = error.issues
  const own =
    issue?.code === 'custom' ||
    issue?.code === 'invalid_format' ||
    issue?.code === 'too_small' ||
    issue?.code === 'too_big'
      ? issue.message
      : undefined
  const allowed =
    unit === 'bytes'
      ? `expected a size such as 256MB${own === undefined ? '' : ` (${own})`}`
      : (own ?? `expected ${describeAllowed(field)}`)
  const shown = secret ? 'its value' : JSON.stringify(raw)
  return new SluiceError('config-invalid', `${name}: cannot use ${shown}: ${allowed}`.replaceAll('\n', ' '))
}

function unknown(where: string, name: string, known: readonly string[]): SluiceError {
  const near = nearest(name, known)
  return new SluiceError(
    'config-invalid',
    `Unknown setting "${name}" in ${where}${near === undefined ? '' : `: did you mean "${near}"?`}`,
  )
}

/** A typo in a variable would silently do nothing: it is told. */
function strangers(env: LoadOptions['env']): readonly string[] {
  const known = new Set([...settings.map((setting) => setting.env), 'SLUICE_CONFIG'])
  return Object.keys(env)
    .filter(
      (name) =>
        name.startsWith('SLUICE_') && !known.has(name) && !/^SLUICE_(?:S3|GCS|AZURE|TEST)_/.test(name),
    )
    .map((name) => {
      const near = nearest(name, known)
      return `Unknown variable "${name}" is ignored${near === undefined ? '' : `: did you mean "${near}"?`}`
    })
}
