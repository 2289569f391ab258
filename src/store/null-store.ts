import type { Store } from './define.ts'

/** A store that keeps nothing: the cache is switched off. */
export function createNullStore(): Store {
  return {
    async get(_key, { signal }) {
      signal.throwIfAborted()
      return undefined
    },
    peek: () => undefined,
    open: async () => undefined,
    async put() {},
    touch() {},
    delete: async () => 0,
    purge: async () => 0,
    purgePrefix: async () => 0,
    stats: () => ({ entries: 0, bytes: 0 }),
    async close() {},
  }
}
