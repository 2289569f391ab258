import { z } from 'zod'
import { SluiceError } from '../errors/index.ts'
import { findOperation, type Operation, operations, type SourceRef, type Step } from '../operations/index.ts'
import { describeAllowed } from './describe-schema.ts'
import { nearest } from './nearest.ts'
import { outputSchema } from './output-schema.ts'
import type { Output, Recipe, Stage, StagedRecipe } from './recipe.ts'

export type Presets = ReadonlyMap<string, StagedRecipe>

export interface NormalizeOptions {
  /** Device pixel ratio, 0.1–8. */
  readonly dpr?: number
  readonly presets?: Presets
}

const MAX_PRESET_DEPTH = 3
const MAX_STEPS = 32
const schemas = new Map<string, z.ZodObject>()

/** The schema of an operation's parameters, built once. */
export function schemaOf(operation: Operation): z.ZodObject {
  let schema = schemas.get(operation.name)
  if (schema === undefined) {
    schema = operation.params(z)
    schemas.set(operation.name, schema)
  }
  return schema
}

/**
 * A recipe with presets expanded, defaults filled and lengths in device px; equal wishes become equal recipes.
 *
 * @throws {SluiceError} `preset-unknown`, `parameter-unknown`, `parameter-invalid`.
 */
export function normalize(
  staged: StagedRecipe,
  { dpr = 1, presets = new Map() }: NormalizeOptions = {},
): Recipe {
  const expanded = expandPresets(staged, presets)
  const steps = expanded.stages.flatMap(({ steps }) => inOrder(steps).map((step) => normalizeStep(step, dpr)))
  if (steps.length > MAX_STEPS) {
    throw new SluiceError(
      'parameter-invalid',
      `Cannot run a recipe of ${steps.length} steps: the limit is ${MAX_STEPS}`,
    )
  }
  return { steps, output: sorted(check(outputSchema, expanded.output, 'output')) as Output }
}

/** The further sources that a recipe names, each once, in order. */
export function recipeSources(recipe: Recipe): readonly SourceRef[] {
  return [...new Set(recipe.steps.flatMap((step) => findOperation(step.op)?.sources?.(step) ?? []))]
}

/**
 * Replaces preset names by what they stand for. Explicit parameters of the same stage win; later stages of a
 * preset follow its stage. At most three levels deep.
 */
export function expandPresets(staged: StagedRecipe, presets: Presets, depth = 0): StagedRecipe {
  let output: Output = {}
  const stages: Stage[] = []
  for (const stage of staged.stages) {
    if (stage.preset === undefined) {
      stages.push(stage)
      continue
    }
    const found = presets.get(stage.preset)
    if (found === undefined) throw unknownPreset(stage.preset, presets)
    if (depth >= MAX_PRESET_DEPTH) {
      throw new SluiceError(
        'parameter-invalid',
        `Cannot expand the preset "${stage.preset}": presets may nest ${MAX_PRESET_DEPTH} deep`,
      )
    }
    const inner = expandPresets(found, presets, depth + 1)
    output = { ...output, ...inner.output }
    const [first = { steps: [] }, ...rest] = inner.stages
    stages.push({ steps: merge(first.steps, stage.steps) }, ...rest)
  }
  return { stages, output: { ...output, ...staged.output } }
}

function merge(preset: readonly Step[], explicit: readonly Step[]): Step[] {
  const merged = preset.map((step) => ({ ...step, ...explicit.find(({ op }) => op === step.op) }))
  return [...merged, ...explicit.filter(({ op }) => !preset.some((step) => step.op === op))]
}

function unknownPreset(name: string, presets: Presets): SluiceError {
  const known = [...presets.keys()]
  const near = nearest(name, known)
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  const list = known.length === 0 ? 'none is configured' : `known are ${known.join(', ')}`
  return new SluiceError('preset-unknown', `Unknown preset "${name}": ${list}${hint}`)
}

/** Steps of one stage by the operation list; a stage is a set. */
function inOrder(steps: readonly Step[]): readonly Step[] {
  return steps.toSorted((a, b) => rank(a.op) - rank(b.op))
}

function rank(op: string): number {
  return operations.findIndex(({ name }) => name === op)
}

function normalizeStep({ op, ...params }: Step, dpr: number): Step {
  const operation = findOperation(op)
  if (operation === undefined) {
    const near = nearest(
      op,
      operations.map(({ name }) => name),
    )
    throw new SluiceError(
      'parameter-unknown',
      `Unknown operation "${op}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    )
  }
  const schema = schemaOf(operation)
  const checked = check(schema, params, op, operation)
  return {
    op,
    ...sorted(dpr === 1 ? checked : check(schema, scaled(checked, operation, schema, dpr), op, operation)),
  }
}

/** CSS px to device px; integer parameters stay integers, and no length vanishes. */
function scaled(
  params: Record<string, unknown>,
  operation: Operation,
  schema: z.ZodObject,
  dpr: number,
): Record<string, unknown> {
  const result = { ...params }
  for (const key of operation.cssPixels ?? []) {
    const value = result[key]
    if (typeof value !== 'number') continue
    const product = value * dpr
    const whole = Math.round(product)
    const isInteger = !schema.shape[key]?.safeParse(0.5 + Math.abs(value)).success
    result[key] = isInteger ? (value > 0 ? Math.max(1, whole) : whole) : Math.round(product * 1000) / 1000
  }
  return result
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function check(
  schema: z.ZodObject,
  value: object,
  what: string,
  operation?: Operation,
): Record<string, unknown> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0] as z.core.$ZodIssue
  if (issue.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys
    const near = nearest(name, Object.keys(schema.shape))
    throw new SluiceError(
      'parameter-unknown',
      `Unknown parameter "${name}" of ${what}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    )
  }
  const param = String(issue.path[0] ?? '')
  const field = schema.shape[param] as z.ZodType | undefined
  const said = (value as Record<string, unknown>)[param]
  const key = operation === undefined ? param : (urlKeyOf(operation, param) ?? param)
  const allowed =
    issue.code === 'custom' || issue.code === 'invalid_format'
      ? issue.message
      : field === undefined
        ? issue.message
        : `expected ${describeAllowed(field)}`
  const shown = said === undefined ? 'no value' : `value ${JSON.stringify(said)?.slice(0, 80)}`
  throw new SluiceError(
    'parameter-invalid',
    `Cannot use "${key}" (${what} ${param}) with ${shown}: ${allowed}`,
    { facts: { option: key } },
  )
}

function urlKeyOf(operation: Operation, param: string): string | undefined {
  return Object.entries(operation.urlKeys).find(([, key]) =>
    typeof key === 'string' ? key === param : key.params.includes(param),
  )?.[0]
}
