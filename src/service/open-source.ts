import type { Body, Engine } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import { Shared, SingleFlight } from '../flow/index.ts'
import type { Freshness, OpenedSource, Source, Sources, Validators } from '../sources/index.ts'
import { type Store, storeKey } from '../store/index.ts'
import type { Telemetry } from '../telemetry/index.ts'

/** Origins that are gone are not asked again for this long; nothing else is remembered of failures. */
const NEGATIVE_MS = 10_000
const MAX_NEGATIVE = 10_000

export interface SourceAccessOptions {
  readonly sources: Sources
  /** Bytes of remote sources. */
  readonly store: Store
  readonly engine: Engine
  readonly telemetry: Telemetry
  readonly maxSourceBytes: number
  /** Of remote sources whose origin says nothing, seconds. */
  readonly defaultMaxAgeSeconds: number
  readonly staleWhileRevalidateSeconds: number
  readonly staleIfErrorSeconds: number
  /** Wall clock, ms. */
  readonly now?: () => number
}

/** Who waits for a source. */
export interface Asking {
  readonly signal: AbortSignal
  /** Fairness key. */
  readonly client: string
  /** `Via` of the request. */
  readonly via?: string
  /** Whether a recipe names it, not the URL itself. */
  readonly inside?: boolean
  /** Cache buster of the URL: another one is another source. */
  readonly version?: string
}

/** What is known of a source without its bytes. */
export interface SourceFacts {
  readonly kind: string
  /** One text for all spellings of its reference. */
  readonly canonical: string
  /** Changes with the bytes. */
  readonly identity: string
  readonly modified: Date | undefined
  /** Whether what is made of it may be kept. */
  readonly storable: boolean
  /** Seconds its origin lets others keep it; `undefined` when it says nothing, or for files. */
  readonly maxAgeSeconds: number | undefined
}

/** The bytes of a source in leased memory, for everybody who waits for them. */
export class LoadedSource extends Shared {
  readonly body: Body
  readonly facts: SourceFacts

  constructor(body: Body, facts: SourceFacts) {
    super(() => body.release())
    this.body = body
    this.facts = facts
  }
}

export interface SourceAccess {
  /**
   * Facts of a source if they can be had without reading it: files, and remote sources that are kept and fresh, or
   * stale and being asked for again.
   */
  identify(ref: string, asking: Asking): Promise<SourceFacts | undefined>
  /** The bytes; whoever got them releases them once. */
  load(ref: string, asking: Asking): Promise<LoadedSource>
  canonical(ref: string, inside?: boolean): string
  /** Forgets what is kept of a source, so that its origin is asked again. */
  forget(canonical: string): Promise<number>
  /** The same for all sources whose reference begins so. */
  forgetPrefix(prefix: string): Promise<number>
}

/** What the source cache keeps beside the bytes of a remote source. */
interface Kept {
  readonly sha256: string
  readonly kind: string
  readonly validators: Validators
  readonly modifiedMs?: number
  readonly maxAgeSeconds?: number
  readonly freshUntilMs: number
  readonly staleUntilMs: number
  readonly errorUntilMs: number
}

/** Opens sources: those at hand each time, remote ones through a cache of their bytes, each of them once at a time. */
export function createSourceAccess(options: SourceAccessOptions): SourceAccess {
  const { sources, store, engine, telemetry, maxSourceBytes, now = Date.now } = options
  const flights = new SingleFlight<LoadedSource>()
  const gone = new Map<string, number>()
  /** What is on its way into the store; until it is there, it is had from here. */
  const arriving = new Map<string, { readonly kept: Kept; readonly loaded: LoadedSource }>()

  const keyOf = (canonical: string) => storeKey({ source: canonical })
  // A cache buster makes another source of it, for keys and flights; purging by source meets all of them by their tag.
  const nameOf = (source: Source, ref: string, { version }: Asking) =>
    version === undefined ? source.canonical(ref) : `${source.canonical(ref)}#v=${version}`
  const kept = (canonical: string) =>
    arriving.get(canonical)?.kept ?? (store.peek(keyOf(canonical)) as Kept | undefined)
  const factsOf = (canonical: string, found: Kept): SourceFacts => ({
    kind: found.kind,
    canonical,
    identity: `${canonical}#${found.sha256}`,
    modified: found.modifiedMs === undefined ? undefined : new Date(found.modifiedMs),
    storable: true,
    maxAgeSeconds: found.maxAgeSeconds,
  })

  async function openAtHand(source: Source, ref: string, { signal }: Asking): Promise<OpenedSource> {
    const opened = await source.open(ref, { signal, maxBytes: maxSourceBytes })
    if ('notModified' in opened) throw new SluiceError('internal', 'A source at hand cannot be unmodified')
    return opened
  }

  const factsAtHand = (source: Source, canonical: string, opened: OpenedSource): SourceFacts => ({
    kind: source.kind,
    canonical,
    identity: opened.identity ?? canonical,
    modified: opened.modified,
    storable: true,
    maxAgeSeconds: undefined,
  })

  async function loadAtHand(source: Source, ref: string, canonical: string, asking: Asking) {
    const opened = await openAtHand(source, ref, asking)
    try {
      const body = await receive(opened, 'lazy', asking)
      return new LoadedSource(body, factsAtHand(source, canonical, opened))
    } finally {
      await opened.close()
    }
  }

  async function receive(opened: OpenedSource, hash: 'lazy' | 'streaming', { signal, client }: Asking) {
    const lease = engine.openInput({
      ...(opened.bytes === undefined ? {} : { expectedBytes: opened.bytes }),
      maxBytes: maxSourceBytes,
      limitCode: 'source-too-large',
      hash,
      client,
      signal,
    })
    try {
      if (opened.readInto !== undefined && opened.bytes !== undefined)
        await lease.fill(opened.bytes, opened.readInto)
      else for await (const chunk of opened.read(signal)) await lease.write(chunk)
      return lease.finish()
    } finally {
      lease.release()
    }
  }

  /** Bytes that are kept; `undefined` when they are not, or not any more. */
  async function fromStore(
    canonical: string,
    found: Kept,
    asking: Asking,
  ): Promise<LoadedSource | undefined> {
    const early = arriving.get(canonical)?.loaded
    if (early !== undefined) {
      early.retain()
      return early
    }
    const entry = await store.open(keyOf(canonical))
    if (entry === undefined) return undefined
    const lease = engine.openInput({
      expectedBytes: entry.bytes,
      maxBytes: Math.max(maxSourceBytes, entry.bytes),
      limitCode: 'source-too-large',
      hash: 'lazy',
      client: asking.client,
      signal: asking.signal,
    })
    try {
      let torn = false
      const read = (targets: readonly Uint8Array[]) =>
        entry.readInto(targets).catch(() => {
          torn = true
          return 0
        })
      await lease.fill(entry.bytes, read)
      if (torn) return undefined
      return new LoadedSource(lease.finish(), factsOf(canonical, found))
    } finally {
      lease.release()
      await entry.close()
    }
  }

  async function fetchRemote(
    source: Source,
    ref: string,
    canonical: string,
    asking: Asking,
  ): Promise<LoadedSource> {
    const found = kept(canonical)
    if (found !== undefined && now() < found.staleUntilMs) {
      const loaded = await fromStore(canonical, found, asking)
      if (loaded !== undefined) return loaded
    }
    try {
      return await fetchAnew(source, ref, canonical, asking, found)
    } catch (error) {
      const failed = error instanceof SluiceError && error.code.startsWith('origin-')
      if (failed && found !== undefined && now() < found.errorUntilMs) {
        const stale = await fromStore(canonical, found, asking)
        if (stale !== undefined) return stale
      }
      if (error instanceof SluiceError && error.code === 'source-not-found') remember(canonical)
      throw error
    }
  }

  async function fetchAnew(
    source: Source,
    ref: string,
    canonical: string,
    asking: Asking,
    found: Kept | undefined,
  ): Promise<LoadedSource> {
    const { signal, via } = asking
    const request = {
      signal,
      maxBytes: maxSourceBytes,
      ...(via === undefined ? {} : { via }),
    }
    telemetry.count('sluice_source_fetches_total')
    const opened = await source.open(
      ref,
      found === undefined ? request : { ...request, known: found.validators },
    )
    if ('notModified' in opened && found !== undefined) {
      const renewed = { ...found, ...lifetimes(opened.freshness) }
      store.touch(keyOf(canonical), renewed)
      const loaded = await fromStore(canonical, renewed, asking)
      return loaded ?? fetchAnew(source, ref, canonical, asking, undefined)
    }
    if ('notModified' in opened)
      throw new SluiceError(
        'origin-failed',
        'Cannot fetch this source: its origin answered 304 to a plain request',
      )
    try {
      const body = await receive(opened, 'streaming', asking)
      return keep(source, ref, canonical, opened, body)
    } finally {
      await opened.close()
    }
  }

  /** The store takes the bytes while others work with them; they are freed when all are done. */
  function keep(
    source: Source,
    ref: string,
    canonical: string,
    opened: OpenedSource,
    body: Body,
  ): LoadedSource {
    const freshness = opened.freshness ?? { maxAgeSeconds: undefined, storable: true }
    const meta: Kept = {
      sha256: body.sha256,
      kind: source.kind,
      validators: opened.validators ?? {},
      ...(opened.modified === undefined ? {} : { modifiedMs: opened.modified.getTime() }),
      ...lifetimes(freshness),
    }
    const facts = { ...factsOf(canonical, meta), storable: freshness.storable }
    const loaded = new LoadedSource(body, facts)
    if (!freshness.storable) {
      void store.delete(keyOf(canonical))
      return loaded
    }
    loaded.retain()
    const own = { kept: meta, loaded }
    arriving.set(canonical, own)
    const entry = { meta: { ...meta }, chunks: body.chunks, tags: [`source:${source.canonical(ref)}`] }
    void store.put(keyOf(canonical), entry).finally(() => {
      if (arriving.get(canonical) === own) arriving.delete(canonical)
      loaded.release()
    })
    return loaded
  }

  function lifetimes(freshness: Freshness) {
    const at = now()
    const maxAge = freshness.maxAgeSeconds ?? options.defaultMaxAgeSeconds
    const swr = freshness.staleWhileRevalidateSeconds ?? options.staleWhileRevalidateSeconds
    const sie = freshness.staleIfErrorSeconds ?? options.staleIfErrorSeconds
    const freshUntilMs = at + 1000 * maxAge
    return {
      ...(freshness.maxAgeSeconds === undefined ? {} : { maxAgeSeconds: freshness.maxAgeSeconds }),
      freshUntilMs,
      staleUntilMs: freshUntilMs + 1000 * (maxAge === 0 ? 0 : swr),
      errorUntilMs: freshUntilMs + 1000 * Math.max(swr, sie),
    }
  }

  function remember(canonical: string): void {
    gone.delete(canonical)
    gone.set(canonical, now() + NEGATIVE_MS)
    if (gone.size > MAX_NEGATIVE) for (const oldest of gone.keys()) return void gone.delete(oldest)
  }

  function refuseGone(canonical: string): void {
    const until = gone.get(canonical)
    if (until === undefined) return
    if (now() < until) throw new SluiceError('source-not-found', 'Cannot find this source')
    gone.delete(canonical)
  }

  /** Asks the origin again behind the back of those who are served what is stale. Once at a time. */
  function revalidate(source: Source, ref: string, canonical: string, found: Kept): void {
    const { signal } = new AbortController()
    const asking = { signal, client: 'revalidation' }
    flights
      .run(`revalidate ${canonical}`, signal, (own) =>
        fetchAnew(source, ref, canonical, { ...asking, signal: own }, found),
      )
      .then(
        (loaded) => loaded.release(),
        (error: unknown) => {
          // What is gone at its origin is served no longer; every other failure leaves what is kept.
          if (error instanceof SluiceError && error.code === 'source-not-found') {
            remember(canonical)
            void store.delete(keyOf(canonical))
          }
          telemetry.log('info', 'a stale source could not be asked for again', { error: String(error) })
        },
      )
  }

  return {
    canonical(given, inside) {
      const { source, ref } = sources.find(given, inside)
      return source.canonical(ref)
    },
    async identify(given, asking) {
      sources.refuseLoop(asking.via)
      const { source, ref } = sources.find(given, asking.inside)
      const canonical = nameOf(source, ref, asking)
      if (!source.remote) {
        const opened = await openAtHand(source, ref, asking)
        await opened.close()
        return factsAtHand(source, canonical, opened)
      }
      refuseGone(canonical)
      const found = kept(canonical)
      if (found === undefined || now() >= found.staleUntilMs) return undefined
      if (now() >= found.freshUntilMs) revalidate(source, ref, canonical, found)
      return factsOf(canonical, found)
    },
    async load(given, asking) {
      sources.refuseLoop(asking.via)
      const { source, ref } = sources.find(given, asking.inside)
      const canonical = nameOf(source, ref, asking)
      if (!source.remote) return loadAtHand(source, ref, canonical, asking)
      refuseGone(canonical)
      return flights.run(canonical, asking.signal, (signal) =>
        fetchRemote(source, ref, canonical, { ...asking, signal }),
      )
    },
    async forget(canonical) {
      gone.delete(canonical)
      return store.purge(`source:${canonical}`)
    },
    async forgetPrefix(prefix) {
      gone.clear()
      return store.purgePrefix(`source:${prefix}`)
    },
  }
}
