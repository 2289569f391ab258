import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { bytesOf, entryOf, keyOf, readOpened } from '../../test/helpers/store-entries.ts'
import { silentTelemetry } from '../telemetry/index.ts'
import type { Meta, Store } from './define.ts'
import { createDiskStore } from './disk.ts'
import { createMemoryStore } from './memory.ts'
import { createTieredStore } from './tiered.ts'

const { signal } = new AbortController()
const root = mkdtempSync(join(tmpdir(), 'sluice-model-'))
afterAll(() => rmSync(root, { recursive: true }))

const KEYS = 6
const TAGS = ['a', 'a/b', 'a/c', 'd'] as const
const key = fc.nat(KEYS - 1)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('put'), key, tags: fc.subarray([...TAGS]), large: fc.boolean() }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('get', 'open', 'peek'), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('delete', 'touch', 'lose-file'), key }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('purge', 'purgePrefix'), tag: fc.constantFrom(...TAGS) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flip'), key, bit: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('restart', 'crash', 'lose-index') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clock'), byMs: fc.integer({ min: -1e9, max: 1e9 }) }),
  },
) as fc.Arbitrary<Step>

interface Step {
  readonly do: string
  readonly key?: number
  readonly tag?: string
  readonly tags?: readonly string[]
  readonly large?: boolean
  readonly bit?: number
  readonly byMs?: number
}

/** What may be found under a key; nothing else may, but finding nothing is always right. */
interface Known {
  readonly bytes: Buffer
  readonly tags: readonly string[]
  /** The last is the right one; a lost index may bring back the first. */
  readonly metas: readonly [Meta, ...Meta[]]
}

/** One store with its folder, and the model beside it. */
class World {
  readonly folder = mkdtempSync(join(root, 'x'))
  readonly #withMemory: boolean
  readonly #model = new Map<number, Known>()
  readonly #abandoned: Store[] = []
  #offsetMs = 0
  #version = 0
  #indexWasLost = false
  #store: Store
  hits = 0

  constructor(withMemory: boolean) {
    this.#withMemory = withMemory
    this.#store = this.#create()
  }

  async run(step: Step): Promise<void> {
    const { key: i = 0, tag = '' } = step
    const path = join(this.folder, 'objects', keyOf(i).slice(0, 2), keyOf(i))
    if (step.do === 'put') return this.#put(i, step)
    if (step.do === 'get' || step.do === 'open' || step.do === 'peek') return this.#look(i, step.do)
    if (step.do === 'touch') return this.#touch(i)
    if (step.do === 'delete') {
      await this.#store.delete(keyOf(i))
      this.#model.delete(i)
    }
    if (step.do === 'purge')
      await this.#purge(
        (each) => each === tag,
        () => this.#store.purge(tag),
      )
    if (step.do === 'purgePrefix')
      await this.#purge(
        (each) => each.startsWith(tag),
        () => this.#store.purgePrefix(tag),
      )
    if (step.do === 'lose-file') rmSync(path, { force: true })
    if (step.do === 'flip' && existsSync(path)) {
      const bytes = readFileSync(path)
      const at = ((step.bit ?? 0) >> 3) % bytes.length
      bytes[at] = (bytes[at] as number) ^ (1 << ((step.bit ?? 0) & 7))
      writeFileSync(path, bytes)
    }
    if (step.do === 'clock') this.#offsetMs += step.byMs ?? 0
    if (step.do === 'crash') {
      // Nothing is written in order; what the old one would still do, it does at the end.
      this.#abandoned.push(this.#store)
      this.#store = this.#create()
    }
    if (step.do === 'restart' || step.do === 'lose-index') {
      await this.close()
      if (step.do === 'lose-index') {
        for (const suffix of ['', '-wal', '-shm'])
          rmSync(join(this.folder, `index.sqlite${suffix}`), { force: true })
        this.#indexWasLost = true
      }
      this.#store = this.#create()
    }
  }

  async checkAll(): Promise<void> {
    for (let i = 0; i < KEYS; i += 1) for (const how of ['peek', 'get', 'open']) await this.#look(i, how)
  }

  async close(): Promise<void> {
    for (const store of [...this.#abandoned.splice(0), this.#store]) await store.close()
  }

  #create(): Store {
    const base = { name: 'test', telemetry: silentTelemetry }
    // Room for about four of the six entries on disk, for two in memory.
    const disk = createDiskStore({
      ...base,
      folder: this.folder,
      maxBytes: 30_000,
      now: () => Date.now() + this.#offsetMs,
    })
    return this.#withMemory
      ? createTieredStore([createMemoryStore({ ...base, maxBytes: 20_000 }), disk], base)
      : disk
  }

  async #put(i: number, { tags = [], large = false }: Step): Promise<void> {
    this.#version += 1
    const entry = entryOf(i, { version: this.#version, length: large ? 6000 : 200, tags })
    await this.#store.put(keyOf(i), entry)
    this.#model.set(i, { bytes: Buffer.concat(entry.chunks), tags, metas: [entry.meta] })
  }

  #touch(i: number): void {
    this.#version += 1
    const meta = { touched: this.#version }
    this.#store.touch(keyOf(i), meta)
    const known = this.#model.get(i)
    if (known) this.#model.set(i, { ...known, metas: [known.metas[0], meta] })
  }

  async #purge(isMeant: (tag: string) => boolean, purge: () => Promise<unknown>): Promise<void> {
    await purge()
    for (const [i, { tags }] of this.#model) if (tags.some(isMeant)) this.#model.delete(i)
  }

  async #look(i: number, how: string): Promise<void> {
    const known = this.#model.get(i)
    const isRight = (meta: Meta): boolean => {
      const allowed = this.#indexWasLost ? known?.metas : known?.metas.slice(-1)
      return allowed?.some((each) => JSON.stringify(each) === JSON.stringify(meta)) ?? false
    }
    if (how === 'peek') {
      const meta = this.#store.peek(keyOf(i))
      if (meta !== undefined) expect(isRight(meta)).toBe(true)
    } else if (how === 'open') {
      const bytes = await readOpened(this.#store, keyOf(i))
      if (bytes !== undefined) expect(known?.bytes.equals(bytes)).toBe(true)
    } else {
      const found = await this.#store.get(keyOf(i), { signal })
      if (found === undefined) return
      this.hits += 1
      expect(known?.bytes.equals(found.bytes)).toBe(true)
      expect(isRight(found.meta)).toBe(true)
    }
  }
}

test.for([
  ['the disk store', false],
  ['tiers of memory and disk', true],
] as const)('[C-11] %s never answers anything but what was put last', async ([, withMemory]) => {
  let hits = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const world = new World(withMemory)
      try {
        for (const each of steps) await world.run(each)
        await world.checkAll()
        hits += world.hits
      } finally {
        await world.close()
        rmSync(world.folder, { recursive: true })
      }
    }),
    { numRuns: 60, seed: 20_250_101 },
  )
  // Were everything a miss, the rest would be true for nothing.
  expect(hits).toBeGreaterThan(60)
})

test('a vanished entry of the model would be noticed', async () => {
  const world = new World(false)
  await world.run({ do: 'put', key: 1 })
  await world.checkAll()
  expect(world.hits).toBe(1)
  expect(bytesOf(1, 1).equals(bytesOf(1, 2))).toBe(false)
  await world.close()
})
