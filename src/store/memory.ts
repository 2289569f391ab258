import { LRUCache } from 'lru-cache'
import type { Telemetry } from '../telemetry/index.ts'
import type { Entry, Meta, OpenEntry, Store } from './define.ts'
import { createNullStore } from './null-store.ts'

/** Allowance for the map nodes, the key, the tag sets and the buffer object of one entry. */
const OVERHEAD_BYTES = 1000

export interface MemoryStoreOptions {
  /** Bound of bodies, facts, tags and bookkeeping together, bytes. An entry over a quarter of it is not kept. */
  readonly maxBytes: number
  /** Label of the metrics. */
  readonly name: string
  readonly telemetry: Telemetry
}

/** A memory store also takes over bytes that nobody else will write to. */
export interface MemoryStore extends Store {
  readonly tier: 'memory'
  /** As `put`, without copying. */
  adopt(
    key: string,
    entry: { readonly meta: Meta; readonly bytes: Uint8Array; readonly tags: readonly string[] },
  ): void
}

interface Kept {
  readonly meta: Meta
  readonly bytes: Uint8Array
  readonly tags: readonly string[]
  readonly cost: number
}

/** Keeps the most recently used entries in memory; `get` hands out the very bytes that are kept, so read only. */
export function createMemoryStore({ maxBytes, name, telemetry }: MemoryStoreOptions): MemoryStore {
  const maxEntryBytes = Math.floor(maxBytes / 4)
  if (maxEntryBytes < 1) return { ...createNullStore(), tier: 'memory', adopt() {} }
  const keysByTag = new Map<string, Set<string>>()
  const cache = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    maxEntrySize: maxEntryBytes,
    sizeCalculation: ({ cost }) => cost,
    dispose(kept, key, reason) {
      for (const tag of kept.tags) {
        const keys = keysByTag.get(tag)
        keys?.delete(key)
        if (keys?.size === 0) keysByTag.delete(tag)
      }
      if (reason === 'evict') telemetry.count('sluice_store_evictions_total', { store: name })
    },
  })
  const report = (): void => {
    telemetry.gauge('sluice_store_bytes', cache.calculatedSize, { store: name })
    telemetry.gauge('sluice_store_entries', cache.size, { store: name })
  }
  const keep = (key: string, meta: Meta, bytes: Uint8Array, tags: readonly string[]): void => {
    const kept = { meta, bytes, tags: [...new Set(tags)], cost: costOf(bytes.length, meta, tags) }
    cache.set(key, kept)
    // Too large an entry is not kept, and neither is the one that it would have replaced.
    const tagged = cache.peek(key) === kept ? kept.tags : []
    for (const tag of tagged) {
      const keys = keysByTag.get(tag)
      if (keys === undefined) keysByTag.set(tag, new Set([key]))
      else keys.add(key)
    }
    report()
  }
  const remove = (keys: Iterable<string>): number => {
    const removed = [...keys].filter((key) => cache.delete(key)).length
    report()
    return removed
  }
  return {
    tier: 'memory',
    async get(key, { signal }) {
      signal.throwIfAborted()
      const kept = cache.get(key)
      return kept && { meta: kept.meta, bytes: kept.bytes, tier: 'memory' }
    },
    peek: (key) => cache.get(key)?.meta,
    async open(key) {
      const kept = cache.get(key)
      return kept && openBytes(kept.meta, kept.bytes)
    },
    async put(key, { meta, chunks, tags }) {
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      if (costOf(length, meta, tags) > maxEntryBytes) {
        remove([key])
        return
      }
      keep(key, meta, copyOf({ meta, chunks, tags }, length), tags)
    },
    adopt: (key, { meta, bytes, tags }) => keep(key, meta, bytes, tags),
    touch(key, meta) {
      const kept = cache.peek(key)
      if (kept !== undefined) keep(key, meta, kept.bytes, kept.tags)
    },
    delete: async (key) => remove([key]),
    purge: async (tag) => remove(keysByTag.get(tag) ?? []),
    async purgePrefix(prefix) {
      const tags = [...keysByTag.keys()].filter((tag) => tag.startsWith(prefix))
      return remove(new Set(tags.flatMap((tag) => [...(keysByTag.get(tag) ?? [])])))
    },
    stats: () => ({ entries: cache.size, bytes: cache.calculatedSize }),
    async close() {
      cache.clear()
      report()
    },
  }
}

/** Reads bytes that are in memory through the interface of those that are not. */
export function openBytes(meta: Meta, bytes: Uint8Array): OpenEntry {
  let at = 0
  return {
    meta,
    bytes: bytes.length,
    async readInto(targets) {
      const start = at
      for (const target of targets) {
        const part = bytes.subarray(at, at + target.length)
        target.set(part)
        at += part.length
      }
      return at - start
    },
    async close() {},
  }
}

function costOf(length: number, meta: Meta, tags: readonly string[]): number {
  const texts = JSON.stringify(meta).length + tags.reduce((sum, tag) => sum + tag.length, 0)
  return OVERHEAD_BYTES + length + 2 * texts
}

/** Not out of Node's shared pool: a small view would keep 8 KiB of strangers alive. */
function copyOf({ chunks }: Entry, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
