import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { type Fault, faultyFs, fsError } from '../../test/helpers/faulty-fs.ts'
import { bytesOf, countingTelemetry, entryOf, keyOf, readOpened } from '../../test/helpers/store-entries.ts'
import { createDiskStore, type DiskStoreOptions } from './disk.ts'

const { signal } = new AbortController()
const root = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
afterAll(() => rmSync(root, { recursive: true }))

function setUp(options: Partial<DiskStoreOptions> = {}) {
  const telemetry = countingTelemetry()
  const folder = options.folder ?? mkdtempSync(join(root, 'x'))
  const store = createDiskStore({ folder, maxBytes: 10_000_000, name: 'disk', telemetry, ...options })
  const isRight = async (i: number, version = 0): Promise<boolean | undefined> => {
    const found = await store.get(keyOf(i), { signal })
    return found && bytesOf(i, version, found.bytes.length).equals(found.bytes)
  }
  return { telemetry, folder, store, isRight }
}

const pathOf = (folder: string, i: number) => join(folder, 'objects', keyOf(i).slice(0, 2), keyOf(i))
const filesIn = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
    : []
const bytesIn = (folder: string) =>
  filesIn(folder).reduce((sum, { parentPath, name }) => {
    // It may have gone since it was listed.
    return sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0)
  }, 0)

function flip(path: string, bit: number): void {
  const bytes = readFileSync(path)
  const at = (bit >> 3) % bytes.length
  bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7))
  writeFileSync(path, bytes)
}

describe('a damaged file', () => {
  test.for(['get', 'open'] as const)('[C-04] is a miss for %s(), wherever the bit flipped', async (how) => {
    const { store, folder, telemetry, isRight } = setUp()
    const count = 200
    for (let i = 0; i < count; i += 1) await store.put(keyOf(i), entryOf(i, { length: 500 }))
    // A step that shares no factor with the length visits every part of a file: magic, lengths, checksum, head, body.
    for (let i = 0; i < count; i += 1) flip(pathOf(folder, i), i * 29)
    for (let i = 0; i < count; i += 1) {
      if (how === 'get') expect(await isRight(i)).toBeUndefined()
      else expect(await readOpened(store, keyOf(i), 100)).toBeUndefined()
    }
    expect(telemetry.counted('sluice_store_errors_total', { operation: 'verify' })).toBe(count)
    expect(store.stats().entries).toBe(0)
    expect(filesIn(join(folder, 'objects'))).toEqual([])
    await store.close()
  })

  test.for([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)])],
    ['empty', () => Buffer.alloc(0)],
    ['foreign', (bytes: Buffer) => Buffer.alloc(bytes.length, '<html>')],
  ] as const)('is a miss when it is %s', async ([, spoil]) => {
    const { store, folder, isRight } = setUp()
    for (const i of [1, 2]) {
      await store.put(keyOf(i), entryOf(i))
      writeFileSync(pathOf(folder, i), spoil(readFileSync(pathOf(folder, i))))
    }
    expect(await isRight(1)).toBeUndefined()
    expect(await readOpened(store, keyOf(2))).toBeUndefined()
    expect(store.stats().entries).toBe(0)
    await store.put(keyOf(1), entryOf(1))
    expect(await isRight(1)).toBe(true)
    await store.close()
  })

  test('withholds its last bytes when it is damaged while it is read', async () => {
    const { store, folder } = setUp()
    await store.put(keyOf(1), entryOf(1, { length: 3000 }))
    const entry = await store.open(keyOf(1))
    expect(await entry?.readInto([new Uint8Array(1000)])).toBe(1000)
    flip(pathOf(folder, 1), 8 * statSync(pathOf(folder, 1)).size - 1)
    expect(await entry?.readInto([new Uint8Array(1000)])).toBe(1000)
    await expect(entry?.readInto([new Uint8Array(1000)])).rejects.toThrow(/not those that were put/)
    await entry?.close()
    expect(store.peek(keyOf(1))).toBeUndefined()
    await store.close()
  })
})

describe('the bound', () => {
  test('[C-05] [row 63] holds at every moment while many entries are written side by side', async () => {
    let most = 0
    const maxBytes = 400_000
    const { store, folder } = setUp({
      maxBytes,
      fs: faultyFs((operation) => {
        if (operation !== 'close' && operation !== 'rename') return
        most = Math.max(most, bytesIn(join(folder, 'objects')) + bytesIn(join(folder, 'tmp')))
      }),
    })
    for (let round = 0; round < 60; round += 1) {
      const numbers = Array.from({ length: 5 }, (_, i) => round * 5 + i)
      await Promise.all(
        numbers.map((i) => store.put(keyOf(i), entryOf(i, { length: 1000 + (i % 7) * 4000 }))),
      )
      expect(store.stats().bytes).toBeLessThanOrEqual(maxBytes)
    }
    expect(most).toBeGreaterThan(maxBytes / 2)
    expect(most).toBeLessThanOrEqual(maxBytes)
    await store.close()
  })

  test('[C-05] counts entries, and the least recently used goes first, over restarts too', async () => {
    const { store, folder, telemetry } = setUp({ maxEntries: 5 })
    for (let i = 0; i < 5; i += 1) await store.put(keyOf(i), entryOf(i))
    await store.get(keyOf(0), { signal })
    store.peek(keyOf(1))
    await store.put(keyOf(5), entryOf(5))
    expect(store.peek(keyOf(2))).toBeUndefined()
    expect(telemetry.counted('sluice_store_evictions_total')).toBe(1)
    await store.get(keyOf(3), { signal })
    await store.close()
    // The wall clock went back by a day.
    const again = setUp({ folder, maxEntries: 5, now: () => Date.now() - 86_400_000 })
    await again.store.get(keyOf(4), { signal })
    for (const i of [6, 7, 8]) await again.store.put(keyOf(i), entryOf(i))
    const left = Array.from({ length: 9 }, (_, i) => i).filter((i) => again.store.peek(keyOf(i)))
    expect(left).toEqual([3, 4, 6, 7, 8])
    await again.store.close()
  })

  test('applies to what is there when it has been lowered', async () => {
    const { store, folder } = setUp()
    for (let i = 0; i < 10; i += 1) await store.put(keyOf(i), entryOf(i))
    await store.close()
    const again = setUp({ folder, maxEntries: 3 })
    await again.store.settled()
    expect(filesIn(join(folder, 'objects')).length).toBe(3)
    await again.store.close()
  })
})

describe('a failing disk', () => {
  const codes = ['ENOSPC', 'EROFS', 'EMFILE', 'EIO', 'EACCES']
  test.for(codes)('[C-06] %s is a miss, a counter and a pause, then all is well again', async (code) => {
    let fault: Fault = () => {}
    const { store, folder, telemetry, isRight } = setUp({
      pauseMs: 40,
      fs: faultyFs((operation, path) => fault(operation, path)),
    })
    for (const i of [0, 1, 2, 3]) await store.put(keyOf(i), entryOf(i))
    fault = () => {
      throw fsError(code)
    }
    for (const i of [10, 11, 12, 13]) await store.put(keyOf(i), entryOf(i))
    expect(telemetry.value('sluice_store_paused')).toBe(1)
    for (const i of [0, 1, 2]) {
      expect(await isRight(i)).toBeUndefined()
      expect(await store.open(keyOf(i))).toBeUndefined()
    }
    await store.delete(keyOf(3))
    await store.purge('nothing')
    const failures = telemetry.counted('sluice_store_errors_total')
    expect(failures).toBeGreaterThan(6)
    // Paused: nobody asks the disk.
    await store.put(keyOf(14), entryOf(14))
    expect(await isRight(2)).toBeUndefined()
    expect(telemetry.counted('sluice_store_errors_total')).toBe(failures)

    fault = () => {}
    await expect
      .poll(async () => {
        await store.put(keyOf(20), entryOf(20))
        return isRight(20)
      })
      .toBe(true)
    expect(telemetry.value('sluice_store_paused')).toBe(0)
    expect(await isRight(3)).toBeUndefined()
    expect(filesIn(join(folder, 'tmp'))).toEqual([])
    await store.close()
  })

  test.for(['open', 'writev', 'close', 'rename', 'mkdir', 'sync'])(
    '[C-06] a fault of %s alone leaves neither a temporary file nor an entry',
    async (failing) => {
      let failed = 0
      const { store, folder, isRight } = setUp({
        sync: true,
        fs: faultyFs((operation) => {
          if (operation !== failing || failed > 0) return
          failed += 1
          throw fsError('ENOSPC')
        }),
      })
      await store.put(keyOf(1), entryOf(1))
      expect(failed).toBe(1)
      expect(await isRight(1)).toBeUndefined()
      expect([filesIn(join(folder, 'tmp')), filesIn(join(folder, 'objects'))]).toEqual([[], []])
      expect(store.stats()).toEqual({ entries: 0, bytes: 0 })
      await store.put(keyOf(1), entryOf(1))
      expect(await isRight(1)).toBe(true)
      await store.close()
    },
  )

  test('[C-06] [row 103] a full file system is nobody’s error', async ({ skip }) => {
    const folder = join(root, 'small')
    mkdirSync(folder)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
    } catch {
      skip('needs the right to mount a tmpfs')
    }
    try {
      const { store, telemetry, isRight } = setUp({ folder })
      for (let i = 0; i < 100; i += 1) await store.put(keyOf(i), entryOf(i, { length: 30_000 }))
      const hits = await Promise.all(Array.from({ length: 100 }, (_, i) => isRight(i)))
      expect(hits.includes(false)).toBe(false)
      expect(telemetry.counted('sluice_store_errors_total')).toBeGreaterThan(0)
      expect(filesIn(join(folder, 'tmp'))).toEqual([])
      await store.close()
    } finally {
      execFileSync('umount', ['-l', folder])
    }
  })

  test('a folder that cannot be made is a store of nothing', async () => {
    writeFileSync(join(root, 'file'), '')
    const { store, telemetry, isRight } = setUp({ folder: join(root, 'file', 'below') })
    await store.put(keyOf(1), entryOf(1))
    expect(await isRight(1)).toBeUndefined()
    expect([await store.delete(keyOf(1)), await store.purge('all'), store.stats().entries]).toEqual([0, 0, 0])
    expect(telemetry.counted('sluice_store_errors_total')).toBeGreaterThan(0)
    await store.close()
  })
})

describe('the index', () => {
  const spoilers = [
    ['lost', (path: string) => rmSync(path)],
    ['overwritten', (path: string) => writeFileSync(path, 'no database at all'.repeat(1000))],
    ['torn', (path: string) => writeFileSync(path, readFileSync(path).fill(170, 4096))],
    ['empty', (path: string) => writeFileSync(path, '')],
  ] as const
  test.for(spoilers)('is built anew from the files when it is %s', async ([, spoil]) => {
    const { store, folder } = setUp()
    for (let i = 0; i < 20; i += 1) await store.put(keyOf(i), entryOf(i, { tags: [`tag:${i % 2}`] }))
    const before = store.stats()
    await store.close()
    spoil(join(folder, 'index.sqlite'))
    const again = setUp({ folder })
    // At once, long before it is complete.
    expect(await again.isRight(7)).toBe(true)
    await again.store.settled()
    await expect.poll(() => again.store.stats()).toEqual(before)
    expect(await again.store.purge('tag:1')).toBe(10)
    expect(await again.isRight(8)).toBe(true)
    await again.store.close()
  })

  test('does not bring back what was purged while it was built', async () => {
    const { store, folder } = setUp()
    for (let i = 0; i < 6; i += 1) await store.put(keyOf(i), entryOf(i, { tags: [`tag:${i % 3}`] }))
    await store.close()
    rmSync(join(folder, 'index.sqlite'))
    const again = setUp({ folder })
    await Promise.all([again.store.purge('tag:0'), again.store.purgePrefix('tag:1')])
    await again.store.delete(keyOf(2))
    const kept = async () => Promise.all([0, 1, 2, 3, 4, 5].map((i) => again.isRight(i)))
    expect(await kept()).toEqual([undefined, undefined, undefined, undefined, undefined, true])
    await again.store.settled()
    expect(await kept()).toEqual([undefined, undefined, undefined, undefined, undefined, true])
    expect(filesIn(join(folder, 'objects')).length).toBe(1)
    await again.store.close()
  })

  test('is no obstacle while another process has locked it; removals are made up for', async () => {
    const { store, folder, isRight, telemetry } = setUp()
    for (const i of [1, 2]) await store.put(keyOf(i), entryOf(i, { tags: [`tag:${i}`] }))
    const other = new DatabaseSync(join(folder, 'index.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    await store.put(keyOf(3), entryOf(3))
    await store.purge('tag:1')
    expect(await isRight(1)).toBeUndefined()
    expect(telemetry.counted('sluice_store_errors_total')).toBeGreaterThan(0)
    other.exec('ROLLBACK')
    other.close()
    await expect.poll(() => isRight(2), { timeout: 5000 }).toBe(true)
    expect(await isRight(1)).toBeUndefined()
    expect(filesIn(join(folder, 'tmp'))).toEqual([])
    await store.close()
  })

  test('does not serve a fact with a flipped bit', async () => {
    const { store, folder, isRight } = setUp()
    await store.put(keyOf(1), entryOf(1))
    const other = new DatabaseSync(join(folder, 'index.sqlite'))
    other.exec(`UPDATE objects SET meta = replace(meta, '3000', '3001')`)
    other.close()
    expect(store.peek(keyOf(1))).toBeUndefined()
    expect(await isRight(1)).toBeUndefined()
    await store.close()
  })

  test('removes files that it does not know and rows without a file', async () => {
    const { store, folder } = setUp()
    for (const i of [1, 2, 3]) await store.put(keyOf(i), entryOf(i))
    await store.close()
    rmSync(pathOf(folder, 1))
    const other = new DatabaseSync(join(folder, 'index.sqlite'))
    other.exec(`DELETE FROM objects WHERE key = '${keyOf(2)}'`)
    other.close()
    const again = setUp({ folder, now: () => Date.now() + 120_000 })
    await again.store.settled()
    expect(again.store.stats().entries).toBe(1)
    expect(filesIn(join(folder, 'objects')).map(({ name }) => name)).toEqual([keyOf(3)])
    await again.store.close()
  })
})

describe('one folder', () => {
  test('may belong to two stores at once', async () => {
    const { store: a, folder } = setUp({ maxBytes: 200_000 })
    const { store: b } = setUp({ folder, maxBytes: 200_000 })
    const work = async (store: typeof a, from: number) => {
      for (let n = 0; n < 60; n += 1) {
        const i = (from + n) % 40
        await store.put(keyOf(i), entryOf(i, { version: n }))
        const found = await store.get(keyOf((i * 7) % 40), { signal })
        const { i: which, version } = (found?.meta ?? {}) as { i: number; version: number }
        if (found) expect(bytesOf(which, version).equals(found.bytes)).toBe(true)
      }
    }
    await Promise.all([work(a, 0), work(b, 13)])
    expect(a.stats()).toEqual(b.stats())
    await a.purge('all')
    for (let i = 0; i < 40; i += 1) expect(await b.get(keyOf(i), { signal })).toBeUndefined()
    await Promise.all([a.close(), b.close()])
  })

  test('survives being emptied by hand', async () => {
    const { store, folder, isRight } = setUp()
    await store.put(keyOf(1), entryOf(1))
    for (const name of ['objects', 'tmp']) rmSync(join(folder, name), { recursive: true })
    expect(await isRight(1)).toBeUndefined()
    await store.put(keyOf(1), entryOf(1))
    expect(await isRight(1)).toBe(true)
    await store.close()
  })

  test('[C-03] loses its temporary files of writers that are gone, and no others', async () => {
    const folder = mkdtempSync(join(root, 'x'))
    mkdirSync(join(folder, 'tmp'))
    const names = [`${process.pid}-left`, '4194304999-left', `${process.ppid}-busy`, `${process.ppid}-old`]
    for (const name of names) writeFileSync(join(folder, 'tmp', name), 'x')
    utimesSync(join(folder, 'tmp', `${process.ppid}-old`), 1, 1)
    const { store } = setUp({ folder })
    await store.settled()
    expect(readdirSync(join(folder, 'tmp'))).toEqual([`${process.ppid}-busy`])
    await store.close()
  })
})
