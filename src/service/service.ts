import { createHash } from 'node:crypto'
import {
  applyHints,
  type ClientHints,
  formatFor,
  NEGOTIATION_CLASSES,
  type NegotiationClass,
  negotiate,
  qualityFor,
} from '../delivery/index.ts'
import { parseRecipe } from '../dialects/index.ts'
import type { Body, Engine, JobOptions, Rendered } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import { SingleFlight } from '../flow/index.ts'
import {
  canonical,
  createPlan,
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
} from '../recipe/index.ts'
import {
  checkPolicyOrder,
  checkPolicyPlan,
  isEncryptedSource,
  type SignedPolicy,
  type SourceCipher,
} from '../signing/index.ts'
import { type Store, storeKey } from '../store/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { checkAllowed } from './allowed.ts'
import type { Asking, LoadedSource, SourceAccess, SourceFacts } from './open-source.ts'
import type { ServiceOptions } from './options.ts'
import { acceptedFormats, recognise } from './recognise.ts'
import { SharedVariant, type Variant, type VariantMeta } from './variant.ts'

/** What one request is known by on its way; doors read the facts for their log line. */
export interface RequestContext {
  readonly signal: AbortSignal
  /** Fairness key: API key or peer address. */
  readonly client: string
  /** Filled while the request runs. */
  readonly facts: Facts
  /** What the client says of itself; only looked at where the order leaves something open. */
  readonly wishes?: Wishes
  /** Bounds that a signed policy sets. */
  readonly policy?: SignedPolicy
  /** `Via` of the request: a loop of servers is refused. */
  readonly via?: string
}

export interface Wishes {
  readonly accept?: string
  readonly saveData?: string
  readonly hints?: ClientHints
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
  fetchMs?: number
  decodeMs?: number
  peakBytes?: number
  workerId?: number
  /** Where the answer came from: a tier of the store, or made anew. */
  tier?: string
}

export interface ServiceDependencies {
  readonly engine: Engine
  readonly sources: SourceAccess
  /** Variants that were made. */
  readonly store: Store
  readonly limits: Limits
  readonly options: ServiceOptions
  readonly timeoutMs: number
  readonly telemetry: Telemetry
  /** Version of what defines the pixels: another one makes other variants. */
  readonly pipeline: string
  /** Output formats that may be chosen for a client. */
  readonly autoFormats: ('avif' | 'webp')[]
  /** Reads encrypted source references; absent: they are refused. */
  readonly cipher?: SourceCipher
}

/** What is thrown away. */
export type Purge =
  | { readonly kind: 'all' }
  | { readonly kind: 'url'; readonly order: Order }
  | { readonly kind: 'source' | 'prefix' | 'tag'; readonly text: string }

export interface Service {
  readonly formats: ReadonlySet<InputFormat>
  /** The variant of an order on a source that the service opens itself: kept, or made. */
  render(order: Order, context: RequestContext): Promise<Variant>
  /** Makes the variant of an order on bytes that have arrived; the body is released in any case. Nothing is kept. */
  renderBody(order: Order, body: Body, context: RequestContext): Promise<Variant>
  describe(order: Order, context: RequestContext): Promise<Probe>
  describeBody(body: Body, context: RequestContext): Promise<Probe>
  /** The plan of an order; nothing is decoded. */
  explain(
    order: Order,
    context: RequestContext,
  ): Promise<{ readonly probe: Probe; readonly plan: Plan; readonly recipe: Recipe }>
  /** Throws away what is kept; how many entries. */
  purge(what: Purge): Promise<number>
}

/** An order with everything resolved that does not need its source. */
interface Settled {
  readonly order: Order
  readonly recipe: Recipe
  readonly dpr: number
  readonly negotiated: NegotiationClass | undefined
  readonly hints: Variant['hints']
  /** The source, absent on uploads, then what the recipe composes with. */
  readonly source: string | undefined
  readonly inputs: readonly string[]
  readonly presets: readonly string[]
}

/** A source by its text; what a recipe names may be `data:` as well. */
interface Ref {
  readonly ref: string
  readonly inside: boolean
}

interface Examined {
  readonly body: Body
  readonly probe: Probe
}

/** The one road from order to variant. */
export function createService(dependencies: ServiceDependencies): Service {
  const { engine, sources, store, limits, options, timeoutMs, pipeline, autoFormats, cipher } = dependencies
  const formats = acceptedFormats(options.inputFormats, dependencies.telemetry)
  const presets = readPresets(options.presets)
  const flights = new SingleFlight<SharedVariant>()
  /** What is on its way into the store; until it is there, it is had from here. */
  const arriving = new Map<string, SharedVariant>()

  async function settle(order: Order, { wishes = {}, policy }: RequestContext): Promise<Settled> {
    checkAllowed(order.recipe, options)
    const { recipe: staged, dpr } = applyHints(order, wishes.hints ?? {})
    const recipe = normalize(staged, { dpr, presets })
    const used = order.recipe.stages.flatMap(({ preset }) => (preset === undefined ? [] : [preset]))
    const source = order.source === undefined ? undefined : await revealed(order.source)
    if (policy !== undefined) checkPolicyOrder(policy, order, source)
    return {
      order,
      recipe,
      dpr,
      negotiated:
        recipe.output.format === 'auto'
          ? negotiate({ accept: wishes.accept, saveData: wishes.saveData }, { autoFormats })
          : undefined,
      hints: order.hints ?? {},
      source,
      inputs: await Promise.all(recipeSources(recipe).map(revealed)),
      presets: used,
    }
  }

  /** Encrypted references in plain text; never to be logged or told. */
  async function revealed(ref: string): Promise<string> {
    if (!isEncryptedSource(ref)) return ref
    if (cipher === undefined)
      throw new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', {
        internal: 'an encrypted source without SLUICE_SOURCE_KEY',
      })
    return cipher.decrypt(ref.slice(2))
  }

  function askingOf(
    settled: Settled,
    { client, via }: RequestContext,
    signal: AbortSignal,
    inside: boolean,
  ): Asking {
    const { version } = settled.order.delivery
    return {
      signal,
      client,
      inside,
      ...(via === undefined ? {} : { via }),
      ...(version === undefined || inside ? {} : { version }),
    }
  }

  function keyOf({ recipe, order, negotiated }: Settled, identities: readonly string[]): string {
    return storeKey({ pipeline, identities, recipe: canonical(recipe), orient: order.orient, negotiated })
  }

  const identify = (settled: Settled, context: RequestContext) =>
    Promise.all(
      refsOf(settled).map(({ ref, inside }) =>
        sources.identify(ref, askingOf(settled, context, context.signal, inside)),
      ),
    )

  /** What is kept under `key`. */
  async function lookUp(key: string, signal: AbortSignal): Promise<SharedVariant | undefined> {
    const early = arriving.get(key)
    if (early !== undefined) {
      early.retain()
      return early
    }
    const found = await store.get(key, { signal })
    if (found === undefined) return undefined
    return new SharedVariant({
      meta: found.meta as unknown as VariantMeta,
      bytes: found.bytes,
      tier: found.tier,
    })
  }

  async function find(settled: Settled, context: RequestContext): Promise<SharedVariant> {
    const { signal, facts, policy } = context
    const refs = refsOf(settled)
    const known = await identify(settled, context)
    const identities = known.map((facts) => facts?.identity)
    facts.sourceKind ??= known[0]?.kind
    const complete = identities.every((identity) => identity !== undefined)
    const key = complete ? keyOf(settled, identities as string[]) : undefined
    const kept = key === undefined ? undefined : await lookUp(key, signal)
    if (kept !== undefined) return kept
    // Without the bytes of its sources a variant has no key yet; the same question has the same answer all the same.
    const flight =
      key ??
      `cold ${keyOf(
        settled,
        refs.map(({ ref, inside }) => sources.canonical(ref, inside)),
      )} ${settled.order.delivery.version ?? ''}`
    return flights.run(flight + boundsOf(policy), signal, (own) => load(settled, context, own, key))
  }

  /** Loads the sources of a variant and makes it, unless their bytes tell that it is there or being made. */
  async function load(
    settled: Settled,
    context: RequestContext,
    signal: AbortSignal,
    known: string | undefined,
  ): Promise<SharedVariant> {
    engine.assertRoom()
    const { facts, policy } = context
    const loaded: LoadedSource[] = []
    const release = () => {
      for (const source of loaded) source.release()
    }
    const deadlineAt = performance.now() + timeoutMs
    try {
      const startedAt = performance.now()
      for (const { ref, inside } of refsOf(settled))
        loaded.push(await sources.load(ref, askingOf(settled, context, signal, inside)))
      facts.fetchMs = performance.now() - startedAt
      facts.sourceKind ??= loaded[0]?.facts.kind
      const key = keyOf(
        settled,
        loaded.map((source) => source.facts.identity),
      )
      if (key === known) return await make(key, settled, context, loaded, { signal, deadlineAt })
      const kept = await lookUp(key, signal)
      if (kept !== undefined) return kept
      // Others may have come to the same key by another way. Work that goes on for them holds the bytes itself.
      for (const source of loaded) source.retain()
      let begun = false
      try {
        return await flights.run(key + boundsOf(policy), signal, (own) => {
          begun = true
          return make(key, settled, context, loaded, { signal: own, deadlineAt }).finally(release)
        })
      } finally {
        if (!begun) release()
      }
    } finally {
      release()
    }
  }

  async function make(
    key: string,
    settled: Settled,
    context: RequestContext,
    loaded: readonly LoadedSource[],
    { signal, deadlineAt }: Pick<JobOptions, 'signal' | 'deadlineAt'>,
  ): Promise<SharedVariant> {
    const { facts, client, policy } = context
    const job = { signal, client, deadlineAt }
    const examined: Examined[] = []
    for (const { body } of loaded) examined.push(await examine(body, job, facts))
    const plan = planOf(settled, examined)
    if (policy !== undefined) checkPolicyPlan(policy, plan)
    const bodies = examined.map(({ body }) => body)
    const rendered = await engine.render(plan, bodies, job)
    note(facts, plan, rendered)
    const origins = loaded.map((source) => source.facts)
    const variant = variantOf(rendered, origins)
    if (origins.every(({ storable }) => storable)) keep(key, settled, variant, origins)
    return variant
  }

  /** Side by side with the answer: the bytes are freed when both are done. */
  function keep(
    key: string,
    settled: Settled,
    variant: SharedVariant,
    origins: readonly SourceFacts[],
  ): void {
    const tags = new Set([
      ...origins.map(({ canonical }) => `source:${canonical}`),
      ...settled.presets.map((name) => `preset:${name}`),
      `format:${variant.meta.format}`,
    ])
    variant.retain(1)
    const entry = { meta: { ...variant.meta }, chunks: [variant.bytes], tags: [...tags] }
    arriving.set(key, variant)
    void store.put(key, entry).finally(() => {
      if (arriving.get(key) === variant) arriving.delete(key)
      variant.release()
    })
  }

  /** Recognises and probes. */
  async function examine(body: Body, job: JobOptions, facts: Facts, gps = false): Promise<Examined> {
    const format = recognise(body, formats)
    const startedAt = performance.now()
    const probe = await engine.probe(body, format, { ...job, gps })
    facts.probeMs ??= performance.now() - startedAt
    facts.bytesIn ??= body.bytes
    facts.inputFormat ??= format
    facts.pixels ??= probe.size.width * probe.size.height
    return { body, probe }
  }

  function planOf(
    settled: Settled,
    [main, ...inputs]: readonly Examined[],
    defaultFormat?: OutputFormat,
  ): Plan {
    const { recipe, negotiated, order } = settled
    return createPlan({
      recipe,
      probe: (main as Examined).probe,
      inputs: inputs.map(({ probe }) => probe),
      orient: order.orient,
      limits,
      maxPlanBytes: engine.maxPlanBytes,
      ...(defaultFormat === undefined ? {} : { defaultFormat }),
      ...(negotiated === undefined
        ? {}
        : {
            auto: {
              format: (facts) => formatFor(negotiated, facts),
              quality: () => qualityFor(negotiated),
            },
          }),
    })
  }

  /** Loads what an order names, without making anything of it. */
  async function open<T>(
    settled: Settled,
    refs: readonly Ref[],
    context: RequestContext,
    use: (examined: readonly Examined[]) => T | Promise<T>,
  ): Promise<T> {
    engine.assertRoom()
    const { signal, client, facts } = context
    const job = { signal, client, deadlineAt: performance.now() + timeoutMs }
    const loaded: LoadedSource[] = []
    try {
      const examined: Examined[] = []
      for (const { ref, inside } of refs) {
        const source = await sources.load(ref, askingOf(settled, context, signal, inside))
        loaded.push(source)
        facts.sourceKind ??= source.facts.kind
        examined.push(await examine(source.body, job, facts))
      }
      return await use(examined)
    } finally {
      for (const source of loaded) source.release()
    }
  }

  const answer = (settled: Settled, variant: SharedVariant, fallback = false): Variant => ({
    meta: variant.meta,
    bytes: variant.bytes,
    tier: variant.tier,
    workMs: variant.workMs,
    negotiated: settled.negotiated,
    hints: settled.hints,
    dpr: settled.dpr,
    fallback,
    storable: variant.storable,
    release: () => variant.release(),
  })

  return {
    formats,
    async render(order, context) {
      // The recipe is judged before anything is read for it.
      const settled = await settle(order, context)
      const { facts, policy } = context
      try {
        const variant = await find(settled, context)
        try {
          if (policy !== undefined) checkPolicyPlan(policy, { size: variant.meta, output: variant.meta })
        } catch (error) {
          variant.release()
          throw error
        }
        facts.tier = variant.tier ?? 'none'
        facts.outputFormat = variant.meta.format
        facts.bytesOut = variant.bytes.length
        return answer(settled, variant)
      } catch (error) {
        const standIn = options.fallbackImage
        if (standIn === undefined || !isMissing(error)) throw error
        facts.tier = 'fallback'
        return answer(settled, await find({ ...settled, source: standIn }, context), true)
      }
    },
    async renderBody(order, body, context) {
      try {
        const settled = await settle(order, context)
        const { signal, client, facts } = context
        const job = { signal, client, deadlineAt: performance.now() + timeoutMs }
        const main = await examine(body, job, facts)
        const isPlain = order.recipe.stages.length === 0 && Object.keys(order.recipe.output).length === 0
        return await open(settled, inputsOf(settled), context, async (inputs) => {
          const plan = planOf(settled, [main, ...inputs], isPlain ? 'jpeg' : undefined)
          if (context.policy !== undefined) checkPolicyPlan(context.policy, plan)
          const rendered = await engine.render(
            plan,
            [main, ...inputs].map((part) => part.body),
            job,
          )
          note(facts, plan, rendered)
          return answer(settled, variantOf(rendered, []))
        })
      } finally {
        body.release()
      }
    },
    async describe(order, context) {
      const settled = await settle(order, context)
      return open(settled, refsOf(settled).slice(0, 1), context, ([main]) => (main as Examined).probe)
    },
    async describeBody(body, { signal, client, facts }) {
      try {
        const job = { signal, client, deadlineAt: performance.now() + timeoutMs }
        return (await examine(body, job, facts)).probe
      } finally {
        body.release()
      }
    },
    async explain(order, context) {
      const settled = await settle(order, context)
      return open(settled, refsOf(settled), context, (examined) => ({
        probe: (examined[0] as Examined).probe,
        plan: planOf(settled, examined),
        recipe: settled.recipe,
      }))
    },
    async purge(what) {
      switch (what.kind) {
        case 'all':
          return store.purgePrefix('')
        case 'tag':
          return store.purge(what.text)
        case 'source': {
          const canonicalRef = sources.canonical(what.text)
          const versions = store.purgePrefix(`source:${canonicalRef}#v=`)
          const variants = store.purge(`source:${canonicalRef}`)
          return (await versions) + (await variants) + (await sources.forget(canonicalRef))
        }
        case 'prefix': {
          const prefix = sources.canonical(what.text)
          return (await store.purgePrefix(`source:${prefix}`)) + (await sources.forgetPrefix(prefix))
        }
        case 'url':
          return purgeUrl(what.order)
      }
    },
  }

  /** Every variant that this URL may have been answered with, whatever its clients wished. */
  async function purgeUrl(order: Order): Promise<number> {
    const context = { signal: new AbortController().signal, client: 'purge', facts: {} }
    const settled = await settle(order, context)
    const known = await identify(settled, context)
    const identities = known.map((facts) => facts?.identity)
    if (identities.some((identity) => identity === undefined)) return 0
    const classes = settled.negotiated === undefined ? [undefined] : NEGOTIATION_CLASSES
    const counts = await Promise.all(
      classes.map((negotiated) => store.delete(keyOf({ ...settled, negotiated }, identities as string[]))),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

/** Work within the bounds of a policy is apart from that within others: what one may not have, another may. */
function boundsOf(policy: SignedPolicy | undefined): string {
  return policy === undefined ? '' : ` ${JSON.stringify(policy)}`
}

/** Failures for which an operator may show another picture. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof SluiceError && (error.code === 'source-not-found' || error.code.startsWith('origin-'))
  )
}

function variantOf(rendered: Rendered, origins: readonly SourceFacts[]): SharedVariant {
  const [bytes = new Uint8Array(0)] = rendered.chunks
  const { format, size, frames } = rendered.facts
  const [main] = origins
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 32)
  const ages = origins.flatMap(({ maxAgeSeconds }) => (maxAgeSeconds === undefined ? [] : [maxAgeSeconds]))
  return new SharedVariant({
    meta: {
      format,
      ...size,
      frames,
      etag: `"${hash}"`,
      ...(main?.modified === undefined ? {} : { modifiedMs: main.modified.getTime() }),
      ...(ages.length === 0 ? {} : { originMaxAgeSeconds: Math.min(...ages) }),
    },
    bytes,
    workMs: rendered.facts.totalMs,
    storable: origins.every(({ storable }) => storable),
    free: () => rendered.release(),
  })
}

function note(facts: Facts, plan: Plan, rendered: Rendered): void {
  facts.outputFormat = plan.output.format
  facts.bytesOut = rendered.bytes
  facts.queueMs = rendered.queueMs
  facts.decodeMs = rendered.facts.totalMs
  facts.peakBytes = rendered.facts.peakBytes
  facts.workerId = rendered.workerId
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

function inputsOf({ inputs }: Settled): readonly Ref[] {
  return inputs.map((ref) => ({ ref, inside: true }))
}

/** The source, then what the recipe composes with. */
function refsOf(settled: Settled): readonly Ref[] {
  const { source } = settled
  if (source === undefined) throw new SluiceError('source-not-found', 'This URL names no source')
  return [{ ref: source, inside: false }, ...inputsOf(settled)]
}
