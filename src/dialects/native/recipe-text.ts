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
import { decodeBase64 } from './base64.ts'
import { decodeValue, encodeValue } from './percent.ts'

const MAX_OPTIONS = 32
const dprSchema = z.union([z.number().min(0.1).max(8), z.enum(['auto'])])

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

/** What the text of a recipe says of an order. */
type Read = Pick<Order, 'recipe' | 'dpr' | 'orient' | 'hints'>

/**
 * Reads a recipe: stages joined by `;`, options joined by `,`.
 *
 * `dpr=auto` and, in the first stage, `w=auto` are left open for the hints of the client.
 *
 * @throws {SluiceError} `parameter-unknown`, `parameter-duplicate`, `parameter-invalid`, `url-invalid`.
 */
export function parseRecipe(text: string): Read {
  if (text === '_') return { recipe: { stages: [], output: {} }, dpr: 1, orient: 'auto' }
  const settings: { dpr?: number | 'auto'; orient?: 'auto' | 'off' } = {}
  const hints: { dpr?: true; width?: true } = {}
  const output: Record<string, unknown> = {}
  let count = 0
  const stages = text.split(';').map((stage, index): Stage => {
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
      if (name === 'w' && value === 'auto') {
        if (index > 0) throw invalid(name, value, 'a width; "auto" may stand in the first stage')
        hints.width = true
      } else if (known !== undefined) {
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
        settings.dpr = once(settings.dpr, name, typed(name, dprSchema, value) as number | 'auto')
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
  if (settings.dpr === 'auto') hints.dpr = true
  return {
    recipe: { stages, output: output as Output },
    dpr: settings.dpr === 'auto' ? 1 : (settings.dpr ?? 1),
    orient: settings.orient ?? 'auto',
    ...(hints.dpr || hints.width ? { hints } : {}),
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
  if (typeof key === 'string') {
    // A source inside a recipe may be `b64:`, like the one of the URL.
    const isSource = operation.sources !== undefined && value.startsWith('b64:')
    return { [key]: typed(name, shape[key] as z.ZodType, isSource ? decodeBase64(value.slice(4)) : value) }
  }
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

/** A recipe as the text of a URL; the inverse of `parseRecipe` for what it can give. */
export function formatRecipe({ recipe, dpr, orient, hints }: Read): string {
  const stages = recipe.stages.map(({ preset, steps }, index) => [
    ...(preset === undefined ? [] : [`preset=${preset}`]),
    ...(index === 0 && hints?.width ? ['w=auto'] : []),
    ...steps.flatMap(formatStep),
  ])
  const tail = Object.entries(OUTPUT_KEYS).flatMap(([key, field]) =>
    recipe.output[field] === undefined ? [] : [`${key}=${write(recipe.output[field])}`],
  )
  if (hints?.dpr) tail.push('dpr=auto')
  else if (dpr !== 1) tail.push(`dpr=${writeNumber(dpr)}`)
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
