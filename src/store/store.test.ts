import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeStore } from '../../test/conformance/store.ts'
import { startFakeS3 } from '../../test/helpers/fake-s3.ts'
import { countingTelemetry, entryOf, keyOf } from '../../test/helpers/store-entries.ts'
import { silentTelemetry } from '../telemetry/index.ts'
import type { Store } from './define.ts'
import { createDiskStore } from './disk.ts'
import { storeKey } from './key.ts'
import { createMemoryStore } from './memory.ts'
import { createNullStore } from './null-store.ts'
import { defaultCacheDir, parseS3Address, storeOptions } from './options.ts'
import { createS3Store } from './s3.ts'
import { createTieredStore } from './tiered.ts'

const { signal } = new AbortController()
const base = { name: 'test', telemetry: silentTelemetry }
const root = mkdtempSync(join(tmpdir(), 'sluice-store-'))
const folder = () => mkdtempSync(join(root, 'x'))
const disk = (telemetry = silentTelemetry) =>
  createDiskStore({ ...base, telemetry, folder: folder(), maxBytes: 10_000_000 })
const memory = (telemetry = silentTelemetry, maxBytes = 10_000_000) =>
  createMemoryStore({ ...base, telemetry, maxBytes })

let s3: Awaited<ReturnType<typeof startFakeS3>>
beforeAll(async () => {
  s3 = await startFakeS3()
})
afterAll(async () => {
  await s3.close()
  rmSync(root, { recursive: true })
})
const bucket = (telemetry = silentTelemetry) => {
  s3.objects.clear()
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  })
  return createS3Store({
    ...base,
    telemetry,
    bucket: 'kept',
    prefix: 'v1',
    client,
    pauseMs: 50,
    timeoutMs: 500,
  })
}

describeStore('memory store', async () => memory())
describeStore('disk store', async () => disk())
describeStore('tiers of memory and disk', async () => createTieredStore([memory(), disk()], base))
describeStore('tiers with memory too small for anything', async () =>
  createTieredStore([memory(silentTelemetry, 8000), disk()], base),
)
describeStore('bucket store', () => bucket(), { knowsFacts: false, countsEntries: false })

describe('createMemoryStore()', () => {
  test('hands out the very buffer that is kept', async () => {
    const store = memory()
    await store.put(keyOf(1), entryOf(1))
    const [a, b] = [await store.get(keyOf(1), { signal }), await store.get(keyOf(1), { signal })]
    expect(a?.bytes).toBe(b?.bytes)
  })

  test('[C-05] keeps its bound and forgets the least recently used first', async () => {
    const telemetry = countingTelemetry()
    const store = memory(telemetry, 50_000)
    for (let i = 0; i < 40; i += 1) {
      await store.put(keyOf(i), entryOf(i, { tags: [`tag:${i}`] }))
      expect(store.stats().bytes).toBeLessThanOrEqual(50_000)
      store.peek(keyOf(0))
    }
    expect(store.peek(keyOf(0))).toBeDefined()
    expect(store.peek(keyOf(1))).toBeUndefined()
    expect(telemetry.counted('sluice_store_evictions_total')).toBe(40 - store.stats().entries)
    // The index of tags does not grow beyond what is kept.
    expect(await store.purgePrefix('tag:')).toBe(40 - telemetry.counted('sluice_store_evictions_total'))
  })

  test('does not keep an entry over a quarter of the bound, nor what it replaces', async () => {
    const store = memory(silentTelemetry, 40_000)
    await store.put(keyOf(1), entryOf(1))
    await store.put(keyOf(1), entryOf(1, { length: 12_000 }))
    expect(store.stats().entries).toBe(0)
  })
})

describe('createTieredStore()', () => {
  test('promotes a hit of a lower tier, with its tags, and counts hits and misses once', async () => {
    const telemetry = countingTelemetry()
    const [upper, lower] = [memory(telemetry), disk(telemetry)]
    const store = createTieredStore([upper, lower], { telemetry, name: 'results' })
    await lower.put(keyOf(1), entryOf(1))
    expect((await store.get(keyOf(1), { signal }))?.tier).toBe('disk')
    expect((await store.get(keyOf(1), { signal }))?.tier).toBe('memory')
    await store.get(keyOf(2), { signal })
    const counted = (tier: string) => telemetry.counted('sluice_store_hits_total', { tier })
    expect([counted('disk'), counted('memory')]).toEqual([1, 1])
    expect(telemetry.counted('sluice_store_misses_total', { store: 'results' })).toBe(1)
    await upper.purge('all')
    expect(upper.stats().entries).toBe(0)
    await store.close()
  })

  test.for(['purge', 'delete', 'put', 'touch'] as const)(
    'does not promote what a %s overtook',
    async (removal) => {
      const upper = memory()
      const held = Promise.withResolvers<void>()
      const old = { meta: { old: true }, bytes: Buffer.from('old'), tier: 'disk', tags: ['all'] }
      const lower: Store = { ...createNullStore(), get: () => held.promise.then(() => old) }
      const store = createTieredStore([upper, lower], base)
      const lookup = store.get(keyOf(1), { signal })
      if (removal === 'purge') await store.purge('all')
      if (removal === 'delete') await store.delete(keyOf(1))
      if (removal === 'put') await store.put(keyOf(1), entryOf(1))
      if (removal === 'touch') store.touch(keyOf(1), {})
      held.resolve()
      await lookup
      expect(upper.peek(keyOf(1))?.old).toBeUndefined()
    },
  )
})

describe('createS3Store()', () => {
  test.for([
    ['a flipped bit', (bytes: Buffer) => bytes.fill((bytes.at(-1) as number) ^ 1, bytes.length - 1)],
    ['a short object', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['a long object', (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)])],
    ['nothing', () => Buffer.alloc(0)],
    ['a foreign object', () => Buffer.from('{"__proto__":1}'.repeat(100))],
    ['a huge length', (bytes: Buffer) => bytes.fill(255, 8, 20)],
  ] as const)('[C-09] takes %s for a miss', async ([, spoil]) => {
    const telemetry = countingTelemetry()
    const store = await bucket(telemetry)
    await store.put(keyOf(1), entryOf(1))
    const [name, bytes] = [...s3.objects].find(([each]) => each.startsWith('v1/objects/')) as [string, Buffer]
    s3.objects.set(name, spoil(bytes))
    expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    expect(telemetry.counted('sluice_store_errors_total', { operation: 'verify' })).toBe(1)
    expect(s3.objects.has(name)).toBe(false)
  })

  test('[C-09] takes a good object under another name for a miss', async () => {
    const store = await bucket()
    await store.put(keyOf(1), entryOf(1))
    const object = [...s3.objects].find(([each]) => each.startsWith('v1/objects/'))?.[1] as Buffer
    s3.objects.set(`v1/objects/${keyOf(2).slice(0, 2)}/${keyOf(2)}`, object)
    expect(await store.get(keyOf(2), { signal })).toBeUndefined()
  })

  test('[C-06] pauses while the bucket fails, owes removals meanwhile, and comes back', async () => {
    const telemetry = countingTelemetry()
    const store = await bucket(telemetry)
    await store.put(keyOf(1), entryOf(1, { tags: ['gone'] }))
    await store.put(keyOf(2), entryOf(2, { tags: ['stays'] }))
    s3.setBroken(true)
    expect(await store.purge('gone')).toBe(0)
    for (let i = 0; i < 3; i += 1) await store.put(keyOf(3), entryOf(3))
    s3.setBroken(false)
    expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    await expect.poll(() => store.get(keyOf(2), { signal }), { timeout: 5000 }).toBeDefined()
    expect(await store.get(keyOf(1), { signal })).toBeUndefined()
    expect(telemetry.counted('sluice_store_errors_total')).toBeGreaterThan(0)
    expect(telemetry.value('sluice_store_paused')).toBe(0)
  })
})

test('[C-06] [row 118] a bucket that does not answer is given up after its timeout, and then not asked', async () => {
  const telemetry = countingTelemetry()
  const store = await bucket(telemetry)
  s3.setBroken('silent')
  const lookups = Array.from({ length: 3 }, (_, i) => store.get(keyOf(i), { signal }))
  expect(await Promise.all(lookups)).toEqual([undefined, undefined, undefined])
  expect(telemetry.counted('sluice_store_errors_total', { operation: 'get' })).toBe(3)
  expect(telemetry.value('sluice_store_paused')).toBe(1)
  s3.setBroken(false)
  await store.close()
})

describe('storeKey()', () => {
  test.for([
    ['names', { a: 1 }, { b: 1 }],
    ['types', { a: 1 }, { a: '1' }],
    ['nesting', { a: { b: 1 } }, { a: '{"b":1}' }],
    ['order of lists', { a: [1, 2] }, { a: [2, 1] }],
    ['null and absent', { a: null }, {}],
    ['big numbers', { a: 1n }, { a: 'n1' }],
    ['where one text ends', { a: 'x', b: 'y' }, { a: 'x","b":"y' }],
  ] as const)('tells %s apart', ([, a, b]) => {
    expect(storeKey(a)).not.toBe(storeKey(b))
  })

  test('is the same for every order of properties', () => {
    const key = storeKey({ a: 1, b: { c: [1], d: undefined } })
    expect(key).toBe(storeKey({ b: { c: [1] }, a: 1 }))
    expect(key).toMatch(/^[0-9a-f]{64}$/)
  })

  test.for([Number.NaN, new Map(), () => 0])('refuses what is not plain data: %o', (value) => {
    expect(() => storeKey({ value })).toThrow(TypeError)
  })
})

describe('storeOptions', () => {
  test('has defaults, sizes and "off"', () => {
    expect(storeOptions.parse({})).toMatchObject({ cacheMemory: 64_000_000, cacheDisk: 1_000_000_000 })
    expect(storeOptions.parse({ cacheDisk: 'off', cacheMemory: 0 })).toMatchObject({ cacheDisk: 'off' })
    expect(storeOptions.safeParse({ cacheDisk: 'on' }).success).toBe(false)
    expect(storeOptions.safeParse({ cacheS3: 'http://x' }).success).toBe(false)
  })

  test('follows the customs of the system', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe(join('/c', 'sluice'))
    expect(defaultCacheDir({}, 'darwin')).toMatch(/Library.Caches.sluice$/)
    expect(defaultCacheDir({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'sluice', 'cache'))
    expect(parseS3Address('s3://a/b/c/')).toEqual({ bucket: 'a', prefix: 'b/c' })
    expect(parseS3Address('s3://a')).toEqual({ bucket: 'a', prefix: '' })
  })
})

test('a store of nothing misses', async () => {
  const store = createNullStore()
  await store.put(keyOf(1), entryOf(1))
  expect(await store.get(keyOf(1), { signal })).toBeUndefined()
})
