import type { Telemetry } from '../telemetry/index.ts'
import type { Entry, Found, Meta, Store } from './define.ts'
import type { MemoryStore } from './memory.ts'
import { isTagged } from './tagged.ts'

export interface TieredStoreOptions {
  readonly telemetry: Telemetry
  /** Label of the misses. */
  readonly name: string
}

/** Lookups of one key that are under way; what is removed or replaced meanwhile must not be promoted. */
interface Lookup {
  stale: boolean
}

/**
 * Several stores as one, fastest first: `get` asks them in order and copies what a lower one had into those above.
 *
 * Hits and misses of `get` and `open` are counted here, once, whatever the tiers are; `peek` is not counted. `delete`
 * and the purges answer the largest number of any tier, as most entries are in several.
 */
export function createTieredStore(tiers: readonly Store[], { telemetry, name }: TieredStoreOptions): Store {
  const lookups = new Map<string, Set<Lookup>>()
  const outdate = (key?: string): void => {
    const sets = key === undefined ? lookups.values() : [lookups.get(key) ?? []]
    for (const set of sets) for (const lookup of set) lookup.stale = true
  }
  const count = (tier: string | undefined): void =>
    tier === undefined
      ? telemetry.count('sluice_store_misses_total', { store: name })
      : telemetry.count('sluice_store_hits_total', { tier })

  /** From the lowest tier up: a lookup that starts meanwhile promotes into tiers that are still to be cleaned. */
  const remove = async (call: (store: Store) => Promise<number>, key?: string): Promise<number> => {
    outdate(key)
    let most = 0
    for (const tier of tiers.toReversed()) {
      most = Math.max(most, await call(tier))
      outdate(key)
    }
    return most
  }

  const lookUp = async (key: string, signal: AbortSignal, lookup: Lookup): Promise<Found | undefined> => {
    for (const [at, tier] of tiers.entries()) {
      const found = await tier.get(key, { signal })
      if (found === undefined) continue
      if (!lookup.stale) promote(key, found, tiers.slice(0, at))
      return found
    }
    return undefined
  }

  return {
    async get(key, { signal }) {
      signal.throwIfAborted()
      const lookup = { stale: false }
      const set = lookups.get(key) ?? new Set()
      lookups.set(key, set.add(lookup))
      try {
        const found = await lookUp(key, signal, lookup)
        count(found?.tier)
        return found
      } finally {
        set.delete(lookup)
        if (set.size === 0 && lookups.get(key) === set) lookups.delete(key)
      }
    },
    peek(key) {
      for (const tier of tiers) {
        const meta = tier.peek(key)
        if (meta !== undefined) return meta
      }
      return undefined
    },
    async open(key) {
      for (const tier of tiers) {
        const entry = await tier.open(key)
        if (entry === undefined) continue
        count(tierOf(tier))
        return entry
      }
      count(undefined)
      return undefined
    },
    async put(key: string, entry: Entry) {
      outdate(key)
      await Promise.all(tiers.map((tier) => tier.put(key, entry)))
    },
    touch(key: string, meta: Meta) {
      outdate(key)
      for (const tier of tiers) tier.touch(key, meta)
    },
    delete: (key) => remove((tier) => tier.delete(key), key),
    purge: (tag) => remove((tier) => tier.purge(tag)),
    purgePrefix: (prefix) => remove((tier) => tier.purgePrefix(prefix)),
    stats() {
      const all = tiers.map((tier) => tier.stats())
      return {
        entries: Math.max(0, ...all.map(({ entries }) => entries)),
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      }
    },
    async close() {
      await Promise.all(tiers.map((tier) => tier.close()))
    },
  }
}

/** Nobody waits for it: a `put` never rejects, and a store that closes waits for its own. */
function promote(key: string, found: Found, upper: readonly Store[]): void {
  if (!isTagged(found)) return
  const { meta, bytes, tags } = found
  for (const store of upper) {
    if (isMemory(store)) store.adopt(key, { meta, bytes, tags })
    else void store.put(key, { meta, chunks: [bytes], tags })
  }
}

function isMemory(store: Store): store is MemoryStore {
  return 'adopt' in store
}

function tierOf(store: Store): string {
  return 'tier' in store ? String(store.tier) : 'other'
}
