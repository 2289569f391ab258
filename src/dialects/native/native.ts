import { z } from 'zod'
import { SluiceError } from '../../errors/index.ts'
import {
  CANONICAL_NUMBER,
  clip,
  type Operation,
  operations,
  type Step,
  type UrlKey,
  writeNumber,
} from '../../operations/index.ts'
import {
  describeAllowed,
  nearest,
  type Order,
  type Output,
  outputSchema,
  type Stage,
  schemaOf,
} from '../../recipe/index.ts'
import { type Action, type Claim, defineDialect } from '../define.ts'
import { decodeValue, encodeValue } from './percent.ts'

const MAX_URL_BYTES = 8192
const MAX_OPTIONS = 32
const QUERY_KEYS = ['exp', 'v', 'dl', 'p', 'redirect', 'store']

/** URL keys of the output, in the order in which they are written. */
const OUTPUT_KEYS: Readonly<Record<string, keyof Output>> = {
  format: 'format',
  q: 'quality',
  effort: 'effort',
  progressive: 'progressive',
  ss: 'subsampling',
  lossless: 'lossless',
  near: 'nearLossless',
  palette: 'palette',
  depth: 'depth',
  meta: 'metadata',
  matte: 'background',
  profile: 'profile',
}

const keyed = new Map<string, { operation: Operation; key: UrlKey }>()
for (const operation of operations) {
  for (const [name, key] of Object.entries(operation.urlKeys)) keyed.set(name, { operation, key })
}

/** Every key that may stand in a recipe. */
export const NATIVE_KEYS: readonly string[] = [
  ...keyed.keys(),
  ...Object.keys(OUTPUT_KEYS),
  'preset',
  'dpr',
  'orient',
]

/** The native language: `/i/w=400,fit=cover;blur=2/photos/cat.jpg`. Parses only: no network, disk, clock or config. */
export const native = defineDialect({
  name: 'native',
  mounts: ['/i/', '/info', '/explain/', '/upload'],
  docs: 'docs/operations.md',
  claim: claimNative,
  parse: parseNative,
  format: formatNative,
})

function claimNative(target: string): Claim {
  if (target.length > MAX_URL_BYTES)
    throw new SluiceError(
      'url-too-long',
      `Cannot read a URL of ${target.length} bytes: the limit is ${MAX_URL_BYTES}`,
    )
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f) throw malformed('it holds a byte that must be percent-encoded')
  }
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? '' : target.slice(mark + 1)
  const at = query === '' ? -1 : query.startsWith('s=') ? 0 : query.indexOf('&s=')
  const signature = at < 0 ? undefined : query.slice(at + (at === 0 ? 2 : 3))
  const signedQuery = at < 0 ? query : query.slice(0, at)
  const expires = /(?:^|&)exp=([1-9]\d{0,11})(?:&|$)/.exec(signedQuery)?.[1]
  return {
    scheme: 'native',
    signed: signature === undefined ? target : at === 0 ? path : `${path}?${signedQuery}`,
    signature,
    expires: expires === undefined ? undefined : Number(expires),
    path,
    query: signedQuery,
  }
}

function parseNative(claim: Claim): { action: Action; order: Order } {
  const delivery = parseQuery(claim.query)
  const { action, recipe, source } = splitPath(claim.path)
  const parsed = parseRecipe(recipe ?? '_')
  return {
    action,
    order: { ...parsed, ...(source === undefined ? {} : { source: parseSource(source) }), delivery },
  }
}

function splitPath(path: string): { action: Action; recipe?: string; source?: string } {
  const [, mount = '', ...rest] = path.split('/')
  const after = (parts: string[]) => parts.join('/')
  if (mount === 'upload') {
    if (rest.length > 1) throw malformed('an upload has one recipe and no source')
    return rest[0] === undefined || rest[0] === ''
      ? { action: 'upload' }
      : { action: 'upload', recipe: rest[0] }
  }
  if (mount === 'info')
    return rest.length === 0 ? { action: 'info' } : { action: 'info', source: nonEmpty(after(rest)) }
  const [recipe = '', ...source] = rest
  if (recipe === '') throw malformed('the recipe is empty: "_" is the empty recipe')
  return { action: mount === 'explain' ? 'explain' : 'render', recipe, source: nonEmpty(after(source)) }
}

function nonEmpty(source: string): string {
  if (source === '') throw malformed('it names no source')
  return source
}

/**
 * Reads a recipe: stages joined by `;`, options joined by `,`.
 *
 * @throws {SluiceError} `parameter-unknown`, `parameter-duplicate`, `parameter-invalid`, `url-invalid`.
 */
export function parseRecipe(text: string): Pick<Order, 'recipe' | 'dpr' | 'orient'> {
  if (text === '_') return { recipe: { stages: [], output: {} }, dpr: 1, orient: 'auto' }
  const settings: { dpr?: number; orient?: 'auto' | 'off' } = {}
  const output: Record<string, unknown> = {}
  let count = 0
  const stages = text.split(';').map((stage): Stage => {
    const seen = new Set<string>()
    const steps = new Map<string, Record<string, unknown>>()
    let preset: string | undefined
    for (const option of stage.split(',')) {
      count += 1
      if (count > MAX_OPTIONS)
        throw new SluiceError('parameter-invalid', `Cannot read a recipe of more than ${MAX_OPTIONS} options`)
      const equals = option.indexOf('=')
      if (equals <= 0)
        throw new SluiceError(
          'parameter-invalid',
          `Cannot read the option "${clip(option)}": expected key=value`,
        )
      const name = option.slice(0, equals)
      const value = decodeValue(option.slice(equals + 1), name)
      if (seen.has(name))
        throw new SluiceError(
          'parameter-duplicate',
          `The option "${clip(name)}" is given twice in one stage`,
          { facts: { option: name } },
        )
      seen.add(name)
      const known = keyed.get(name)
      if (known !== undefined) {
        const params = steps.get(known.operation.name) ?? {}
        Object.assign(params, readKey(name, known.key, known.operation, value))
        steps.set(known.operation.name, params)
      } else if (Object.hasOwn(OUTPUT_KEYS, name)) {
        const field = OUTPUT_KEYS[name] as keyof Output
        if (field in output)
          throw new SluiceError('parameter-duplicate', `The option "${name}" is given in two stages`, {
            facts: { option: name },
          })
        output[field] = typed(name, outputSchema.shape[field], value)
      } else if (name === 'preset') {
        if (!/^[A-Za-z0-9_-]{1,64}$/.test(value)) throw invalid(name, value, 'letters, digits, "-" and "_"')
        preset = value
      } else if (name === 'dpr') {
        settings.dpr = once(settings.dpr, name, typed(name, z.number().min(0.1).max(8), value) as number)
      } else if (name === 'orient') {
        settings.orient = once(
          settings.orient,
          name,
          typed(name, z.enum(['auto', 'off']), value) as 'auto' | 'off',
        )
      } else {
        throw unknownKey(name, value)
      }
    }
    const list = [...steps].map(([op, params]): Step => ({ op, ...params }))
    return { ...(preset === undefined ? {} : { preset }), steps: list }
  })
  return {
    recipe: { stages, output: output as Output },
    dpr: settings.dpr ?? 1,
    orient: settings.orient ?? 'auto',
  }
}

function once<T>(before: T | undefined, name: string, value: T): T {
  if (before !== undefined)
    throw new SluiceError('parameter-duplicate', `The option "${name}" is given in two stages`, {
      facts: { option: name },
    })
  return value
}

function readKey(name: string, key: UrlKey, operation: Operation, value: string): Record<string, unknown> {
  const { shape } = schemaOf(operation)
  if (typeof key === 'string') return { [key]: typed(name, shape[key] as z.ZodType, value) }
  const params = key.read(value)
  for (const [param, read] of Object.entries(params)) {
    const field = shape[param] as z.ZodType
    if (!field.safeParse(read).success)
      throw invalid(name, value, `${key.form}; ${param} is ${describeAllowed(field)}`)
  }
  return params
}

/** The value in the first type that the schema takes: a number, a switch, text. */
function typed(name: string, schema: z.ZodType, text: string): unknown {
  const candidates: unknown[] = []
  if (CANONICAL_NUMBER.test(text) && text.length <= 20) candidates.push(Number(text))
  if (text === 'true' || text === 'false') candidates.push(text === 'true')
  candidates.push(text)
  for (const candidate of candidates) if (schema.safeParse(candidate).success) return candidate
  const issue = schema.safeParse(text).error?.issues[0]
  const own =
    issue?.code === 'custom' || issue?.code === 'invalid_format'
      ? issue.message.replace(/^expected /, '')
      : undefined
  throw invalid(name, text, own ?? describeAllowed(schema))
}

function invalid(name: string, value: string, allowed: string): SluiceError {
  return new SluiceError(
    'parameter-invalid',
    `Cannot use the option "${name}" with value "${clip(value)}": allowed is ${allowed}`,
    { facts: { option: name } },
  )
}

/** People write the long names of other languages: each parameter's own name leads to its key. */
function spellings(): Map<string, string> {
  const words = new Map(NATIVE_KEYS.map((key) => [key, key]))
  for (const [key, field] of Object.entries(OUTPUT_KEYS)) words.set(field, key)
  for (const [name, { operation, key }] of keyed) {
    for (const word of typeof key === 'string' ? [key] : [operation.name])
      if (!words.has(word)) words.set(word, name)
  }
  return words
}

function unknownKey(name: string, value: string): SluiceError {
  const words = spellings()
  const near = words.get(nearest(name, words.keys()) ?? '')
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  return new SluiceError(
    'parameter-unknown',
    `Unknown option "${clip(name)}" with value "${clip(value)}"${hint} Known: ${NATIVE_KEYS.join(' ')}`,
    { facts: { option: clip(name), ...(near === undefined ? {} : { nearest: near }) } },
  )
}

/** @throws {SluiceError} `parameter-unknown`, `parameter-duplicate`, `parameter-invalid`. */
function parseQuery(query: string): Order['delivery'] {
  if (query === '') return {}
  const delivery: { filename?: string; version?: string } = {}
  const seen = new Set<string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    if (!QUERY_KEYS.includes(name)) {
      throw new SluiceError(
        'parameter-unknown',
        `Unknown query key "${clip(name)}": known are s, ${QUERY_KEYS.join(', ')}`,
        { facts: { option: clip(name) } },
      )
    }
    if (seen.has(name)) throw new SluiceError('parameter-duplicate', `The query key "${name}" is given twice`)
    seen.add(name)
    const value = decodeValue(equals < 0 ? '' : pair.slice(equals + 1), name)
    if (name === 'exp' && !/^[1-9]\d{0,11}$/.test(value)) throw invalid(name, value, 'a Unix time in seconds')
    if (name === 'dl') {
      if (!/^[A-Za-z0-9 _.-]{1,100}$/.test(value))
        throw invalid(name, value, 'letters, digits, space, "-", "_" and ".", at most 100')
      delivery.filename = value
    }
    if (name === 'v') delivery.version = value
    if (name === 'p' || name === 'redirect' || name === 'store') {
      throw new SluiceError(
        'parameter-invalid',
        `Cannot use the query key "${name}": this service has no ${name === 'p' ? 'signed policies' : 'object store'}`,
      )
    }
  }
  return delivery
}

/** A source as canonical text; `b64:` is decoded, percent-encoding is taken off each path segment. */
function parseSource(raw: string): string {
  if (raw.startsWith('b64:')) return decodeBase64(raw.slice(4))
  const scheme = /^[a-z][a-z0-9]*:\/\//.exec(raw)?.[0] ?? ''
  const rest = raw.slice(scheme.length)
  if (rest.includes('//')) throw malformed('"//" may only follow the scheme of a source')
  for (const segment of rest.split('/')) {
    if (segment === '.' || segment === '..')
      throw new SluiceError('source-forbidden', 'Cannot read a source with "." or ".." in its path')
  }
  return (
    scheme +
    rest
      .split('/')
      .map((segment) => decodeValue(segment, 'source'))
      .join('/')
  )
}

function decodeBase64(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw malformed('the source after "b64:" is no base64url')
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    const decoded = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return decoded
  } catch {
    throw malformed('the source after "b64:" is no base64url of UTF-8 text')
  }
}

function malformed(why: string): SluiceError {
  return new SluiceError('url-invalid', `Cannot read this URL: ${why}`)
}

/** A recipe as the text of a URL; the inverse of `parseRecipe` for what it can give. */
export function formatRecipe({ recipe, dpr, orient }: Pick<Order, 'recipe' | 'dpr' | 'orient'>): string {
  const stages = recipe.stages.map(({ preset, steps }) => [
    ...(preset === undefined ? [] : [`preset=${preset}`]),
    ...steps.flatMap(formatStep),
  ])
  const tail = Object.entries(OUTPUT_KEYS).flatMap(([key, field]) =>
    recipe.output[field] === undefined ? [] : [`${key}=${write(recipe.output[field])}`],
  )
  if (dpr !== 1) tail.push(`dpr=${writeNumber(dpr)}`)
  if (orient !== 'auto') tail.push(`orient=${orient}`)
  const last = stages.at(-1)
  if (last === undefined) return tail.length === 0 ? '_' : tail.join(',')
  last.push(...tail)
  return stages.map((options) => options.join(',')).join(';')
}

function formatStep({ op, ...params }: Step): string[] {
  const operation = operations.find(({ name }) => name === op)
  if (operation === undefined) throw new SluiceError('parameter-unknown', `Unknown operation "${op}"`)
  return Object.entries(operation.urlKeys).flatMap(([name, key]) => {
    const value = typeof key === 'string' ? params[key] : key.write(params)
    return value === undefined ? [] : [`${name}=${write(value)}`]
  })
}

function write(value: unknown): string {
  return encodeValue(typeof value === 'number' ? writeNumber(value) : String(value))
}

function formatNative(action: Action, order: Order): string {
  const recipe = formatRecipe(order)
  const source =
    order.source === undefined
      ? ''
      : order.source
          .split('/')
          .map(encodeValue)
          .join('/')
          .replace(/^([a-z0-9]+):\/\//, '$1://')
  const query = [
    ...(order.delivery.version === undefined ? [] : [`v=${encodeValue(order.delivery.version)}`]),
    ...(order.delivery.filename === undefined ? [] : [`dl=${encodeValue(order.delivery.filename)}`]),
  ].join('&')
  const tail = query === '' ? '' : `?${query}`
  switch (action) {
    case 'upload':
      return `/upload${recipe === '_' ? '' : `/${recipe}`}${tail}`
    case 'info':
      return `/info/${source}${tail}`
    case 'explain':
      return `/explain/${recipe}/${source}${tail}`
    case 'render':
      return `/i/${recipe}/${source}${tail}`
  }
}
