import { parseRecipe } from '../dialects/index.ts'
import type { Body, Engine, Rendered } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import {
  createPlan,
  formatToken,
  INPUT_FORMATS,
  type InputFormat,
  type Limits,
  normalize,
  type Order,
  type OutputFormat,
  type Plan,
  type Presets,
  type Probe,
  type Recipe,
  recipeSources,
  sniff,
} from '../recipe/index.ts'
import type { Sources } from '../sources/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import type { ServiceOptions } from './options.ts'

/** What one request is known by on its way; doors read the facts for their log line. */
export interface RequestContext {
  readonly signal: AbortSignal
  /** Fairness key: API key or peer address. */
  readonly client: string
  /** Filled while the request runs. */
  readonly facts: Facts
}

export interface Facts {
  sourceKind?: string
  inputFormat?: string
  outputFormat?: string
  bytesIn?: number
  bytesOut?: number
  pixels?: number
  queueMs?: number
  probeMs?: number
  decodeMs?: number
  peakBytes?: number
  workerId?: number
}

export interface ServiceDependencies {
  readonly engine: Engine
  readonly sources: Sources
  readonly limits: Limits
  readonly options: ServiceOptions
  readonly maxSourceBytes: number
  readonly timeoutMs: number
  readonly telemetry: Telemetry
}

/** A variant with what its headers need. */
export interface Variant extends Rendered {
  readonly plan: Plan
  readonly modified: Date | undefined
}

export interface Service {
  readonly formats: ReadonlySet<InputFormat>
  /** Makes the variant of an order on a source that the service opens itself. */
  render(order: Order, context: RequestContext): Promise<Variant>
  /** Makes the variant of an order on bytes that have arrived; the body is released in any case. */
  renderBody(order: Order, body: Body, context: RequestContext): Promise<Variant>
  describe(order: Order, context: RequestContext): Promise<Probe>
  describeBody(body: Body, context: RequestContext): Promise<Probe>
  /** The plan of an order; nothing is decoded. */
  explain(
    order: Order,
    context: RequestContext,
  ): Promise<{ readonly probe: Probe; readonly plan: Plan; readonly recipe: Recipe }>
}

interface Opened {
  readonly body: Body
  readonly probe: Probe
  readonly modified?: Date | undefined
}

/** An order with its recipe normalised: presets expanded, every step checked. */
type SettledOrder = Omit<Order, 'recipe'> & { readonly recipe: Recipe }

/** The one road from order to variant. */
export function createService(dependencies: ServiceDependencies): Service {
  const { engine, sources, limits, options, maxSourceBytes, timeoutMs } = dependencies
  const formats = acceptedFormats(options.inputFormats, dependencies.telemetry)
  const presets = readPresets(options.presets)

  const jobOf = ({ signal, client }: RequestContext, deadlineAt: number) => ({ signal, client, deadlineAt })

  async function open(ref: string, context: RequestContext, deadlineAt: number): Promise<Opened> {
    const source = await sources.open(ref, context)
    context.facts.sourceKind ??= source.kind
    try {
      const { signal, client } = context
      const lease = engine.openInput({
        expectedBytes: source.bytes,
        maxBytes: maxSourceBytes,
        limitCode: 'source-too-large',
        hash: 'lazy',
        client,
        signal,
      })
      try {
        if (source.readInto !== undefined) await lease.fill(source.bytes, source.readInto)
        else for await (const chunk of source.read(signal)) await lease.write(chunk)
        return { ...(await examine(lease.finish(), context, deadlineAt)), modified: source.modified }
      } finally {
        lease.release()
      }
    } finally {
      await source.close()
    }
  }

  /** Recognises and probes; releases the body when it is refused. */
  async function examine(
    body: Body,
    context: RequestContext,
    deadlineAt: number,
    gps = false,
  ): Promise<Opened> {
    const { facts } = context
    try {
      const format = recognise(body, formats)
      const startedAt = performance.now()
      const probe = await engine.probe(body, format, { ...jobOf(context, deadlineAt), gps })
      facts.probeMs ??= performance.now() - startedAt
      facts.bytesIn ??= body.bytes
      facts.inputFormat ??= format
      facts.pixels ??= probe.size.width * probe.size.height
      return { body, probe }
    } catch (error) {
      body.release()
      throw error
    }
  }

  async function prepare(
    order: SettledOrder,
    main: Opened,
    context: RequestContext,
    deadlineAt: number,
    defaultFormat?: OutputFormat,
  ) {
    const { recipe } = order
    const inputs: Opened[] = []
    const release = () => {
      for (const { body } of [main, ...inputs]) body.release()
    }
    try {
      for (const ref of recipeSources(recipe)) inputs.push(await open(ref, context, deadlineAt))
      const plan = createPlan({
        recipe,
        probe: main.probe,
        inputs: inputs.map(({ probe }) => probe),
        orient: order.orient,
        limits,
        maxPlanBytes: engine.maxPlanBytes,
        ...(defaultFormat === undefined ? {} : { defaultFormat }),
      })
      return { plan, bodies: [main, ...inputs].map(({ body }) => body), release }
    } catch (error) {
      release()
      throw error
    }
  }

  async function run(
    order: SettledOrder,
    main: Opened,
    context: RequestContext,
    deadlineAt: number,
    defaultFormat?: OutputFormat,
  ): Promise<Variant> {
    const { plan, bodies, release } = await prepare(order, main, context, deadlineAt, defaultFormat)
    try {
      const rendered = await engine.render(plan, bodies, jobOf(context, deadlineAt))
      const { facts } = context
      facts.outputFormat = plan.output.format
      facts.bytesOut = rendered.bytes
      facts.queueMs = rendered.queueMs
      facts.decodeMs = rendered.facts.totalMs
      facts.peakBytes = rendered.facts.peakBytes
      facts.workerId = rendered.workerId
      return { ...rendered, plan, modified: main.modified }
    } finally {
      release()
    }
  }

  const settle = (order: Order): SettledOrder => ({
    ...order,
    recipe: normalize(order.recipe, { dpr: order.dpr, presets }),
  })
  const deadline = () => performance.now() + timeoutMs

  return {
    formats,
    async render(order, context) {
      // The recipe is judged before anything is read for it.
      const settled = settle(order)
      engine.assertRoom()
      const deadlineAt = deadline()
      return run(settled, await open(sourceOf(order), context, deadlineAt), context, deadlineAt)
    },
    async renderBody(order, body, context) {
      const deadlineAt = deadline()
      const isPlain = order.recipe.stages.length === 0 && Object.keys(order.recipe.output).length === 0
      return run(
        settle(order),
        await examine(body, context, deadlineAt),
        context,
        deadlineAt,
        isPlain ? 'jpeg' : undefined,
      )
    },
    async describe(order, context) {
      engine.assertRoom()
      const { body, probe } = await open(sourceOf(order), context, deadline())
      body.release()
      return probe
    },
    async describeBody(body, context) {
      const { probe } = await examine(body, context, deadline())
      body.release()
      return probe
    },
    async explain(order, context) {
      const settled = settle(order)
      engine.assertRoom()
      const deadlineAt = deadline()
      const main = await open(sourceOf(order), context, deadlineAt)
      const { plan, release } = await prepare(settled, main, context, deadlineAt)
      release()
      return { probe: main.probe, plan, recipe: settled.recipe }
    },
  }
}

/**
 * Reads the named recipes. One that cannot be expanded stops the start, not the first request.
 *
 * @throws {SluiceError} `config-invalid`.
 */
function readPresets(texts: Readonly<Record<string, string>>): Presets {
  try {
    const presets: Presets = new Map(
      Object.entries(texts).map(([name, text]) => [name, parseRecipe(text).recipe]),
    )
    for (const staged of presets.values()) normalize(staged, { presets })
    return presets
  } catch (error) {
    throw new SluiceError('config-invalid', `SLUICE_PRESETS: ${(error as Error).message}`, { cause: error })
  }
}

function sourceOf({ source }: Order): string {
  if (source === undefined) throw new SluiceError('source-not-found', 'This URL names no source')
  return source
}

/**
 * The format of a body by its first bytes.
 *
 * @throws {SluiceError} `format-unsupported` naming it; `not-an-image`.
 */
function recognise(body: Body, formats: ReadonlySet<InputFormat>): InputFormat {
  const head = (body.chunks[0] ?? new Uint8Array(0)).subarray(0, 4096)
  const found = sniff(head)
  if (found === undefined)
    throw new SluiceError('not-an-image', 'Cannot decode this: its content is no image that is known here')
  if ('format' in found && formats.has(found.format)) return found.format
  const name = 'format' in found ? found.format : found.unsupported
  throw new SluiceError(
    'format-unsupported',
    `Cannot decode "${name}": accepted are ${[...formats].join(', ')}`,
    { facts: { format: name } },
  )
}

/** @throws {SluiceError} `config-invalid` for a word that is no format. */
function acceptedFormats(tokens: readonly string[], telemetry: Telemetry): ReadonlySet<InputFormat> {
  if (tokens.length === 0) return new Set(INPUT_FORMATS)
  const accepted = new Set<InputFormat>()
  for (const token of tokens) {
    const name = formatToken(token)
    if (name === undefined)
      throw new SluiceError('config-invalid', `SLUICE_INPUT_FORMATS: "${token}" is no format`)
    if ((INPUT_FORMATS as readonly string[]).includes(name)) accepted.add(name as InputFormat)
    else telemetry.log('warn', 'this build cannot read a format of SLUICE_INPUT_FORMATS', { format: name })
  }
  return accepted
}
