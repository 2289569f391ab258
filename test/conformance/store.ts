import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/index.ts'
import { bytesOf, entryOf, keyOf, readOpened } from '../helpers/store-entries.ts'

export interface StoreTraits {
  /** `peek` and `touch` need an index of facts, which a bucket has not. */
  readonly knowsFacts?: boolean
  readonly countsEntries?: boolean
}

/** What every store promises. `create` makes an empty one. */
export function describeStore(
  name: string,
  create: () => Promise<Store>,
  { knowsFacts = true, countsEntries = true }: StoreTraits = {},
): void {
  describe(name, () => {
    const { signal } = new AbortController()
    let store: Store
    beforeEach(async () => {
      store = await create()
    })
    afterEach(() => store.close())

    test('finds what was put: bytes, facts', async () => {
      await store.put(keyOf(1), entryOf(1))
      const found = await store.get(keyOf(1), { signal })
      expect(found?.bytes.length).toBe(3000)
      expect(bytesOf(1, 0).equals(found?.bytes as Uint8Array)).toBe(true)
      expect(found?.meta).toEqual({ i: 1, version: 0, length: 3000 })
      if (knowsFacts) expect(store.peek(keyOf(1))).toEqual({ i: 1, version: 0, length: 3000 })
    })

    test('misses what was not put', async () => {
      expect(await store.get(keyOf(1), { signal })).toBeUndefined()
      expect(await store.open(keyOf(1))).toBeUndefined()
      expect(store.peek(keyOf(1))).toBeUndefined()
      expect(await store.delete(keyOf(1))).toBe(0)
      expect(await store.purge('all')).toBe(0)
    })

    test.for([0, 1, 1999, 2000, 70_000])('reads %d bytes into buffers of the caller', async (length) => {
      await store.put(keyOf(1), entryOf(1, { length }))
      const bytes = await readOpened(store, keyOf(1))
      expect(bytes?.equals(bytesOf(1, 0, length))).toBe(true)
    })

    test('keeps its own copy of the chunks once put() is done', async () => {
      const entry = entryOf(1)
      await store.put(keyOf(1), entry)
      for (const chunk of entry.chunks) chunk.fill(0)
      const found = await store.get(keyOf(1), { signal })
      expect(bytesOf(1, 0).equals(found?.bytes as Uint8Array)).toBe(true)
    })

    test('replaces an entry and its tags', async () => {
      await store.put(keyOf(1), entryOf(1, { tags: ['old'] }))
      await store.put(keyOf(1), entryOf(1, { version: 1, length: 5000, tags: ['new'] }))
      const found = await store.get(keyOf(1), { signal })
      expect(bytesOf(1, 1, 5000).equals(found?.bytes as Uint8Array)).toBe(true)
      await store.purge('new')
      expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    })

    test('deletes one entry', async () => {
      await store.put(keyOf(1), entryOf(1))
      await store.put(keyOf(2), entryOf(2))
      expect(await store.delete(keyOf(1))).toBe(1)
      expect(await store.get(keyOf(1), { signal })).toBeUndefined()
      expect(store.peek(keyOf(1))).toBeUndefined()
      expect(await store.get(keyOf(2), { signal })).toBeDefined()
    })

    test('purges by tag', async () => {
      const tags = ['source:a', 'source:é/ü?', 'source:a']
      for (const [i, tag] of tags.entries()) await store.put(keyOf(i), entryOf(i, { tags: [tag, 'x'] }))
      expect(await store.purge('source:a')).toBe(2)
      expect(await store.get(keyOf(0), { signal })).toBeUndefined()
      expect(await store.get(keyOf(1), { signal })).toBeDefined()
      expect(await store.purge('source:é/ü?')).toBe(1)
      expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    })

    test('purges by the beginning of a tag, and by nothing that only looks like it', async () => {
      const tags = ['source:a/1', 'source:a/\u{10FFFF}2', 'source:b', 'source:%a/', 'SOURCE:a/1']
      for (const [i, tag] of tags.entries()) await store.put(keyOf(i), entryOf(i, { tags: [tag] }))
      expect(await store.purgePrefix('source:a/')).toBe(2)
      const left = await Promise.all(tags.map((_, i) => store.get(keyOf(i), { signal })))
      expect(left.map((found) => found !== undefined)).toEqual([false, false, true, true, true])
      expect(await store.purgePrefix('')).toBe(3)
    })

    test('serves nothing of a put that a removal overtook', async () => {
      const put = store.put(keyOf(1), entryOf(1))
      await Promise.all([store.purge('all'), put])
      await store.purge('all')
      expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    })

    test('joins puts of one key', async () => {
      await Promise.all(Array.from({ length: 5 }, () => store.put(keyOf(1), entryOf(1))))
      expect(await store.get(keyOf(1), { signal })).toBeDefined()
      if (countsEntries) expect(store.stats().entries).toBe(1)
    })

    test('throws the reason of a signal, nothing else', async () => {
      const reason = new Error('gone')
      await expect(store.get(keyOf(1), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })

    if (knowsFacts)
      test('replaces facts alone', async () => {
        await store.put(keyOf(1), entryOf(1))
        store.touch(keyOf(1), { fresh: true })
        store.touch(keyOf(2), { fresh: true })
        expect(store.peek(keyOf(1))).toEqual({ fresh: true })
        expect(store.peek(keyOf(2))).toBeUndefined()
        const found = await store.get(keyOf(1), { signal })
        expect(found?.meta).toEqual({ fresh: true })
        expect(bytesOf(1, 0).equals(found?.bytes as Uint8Array)).toBe(true)
      })

    if (countsEntries)
      test('counts what it has', async () => {
        await store.put(keyOf(1), entryOf(1))
        await store.put(keyOf(2), entryOf(2))
        expect(store.stats().entries).toBe(2)
        expect(store.stats().bytes).toBeGreaterThan(6000)
        await store.purge('all')
        expect(store.stats()).toEqual({ entries: 0, bytes: 0 })
      })
  })
}
