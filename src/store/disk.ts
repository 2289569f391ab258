import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Telemetry } from '../telemetry/index.ts'
import { abortable } from './abortable.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import type { Entry, Meta, OpenEntry, Store } from './define.ts'
import { codeOf, DiskFiles, type DiskFs } from './disk-files.ts'
import { type DiskIndex, isMeant, type Row, type Where } from './disk-index.ts'
import { openDiskEntry } from './disk-reader.ts'
import { DiskRoom } from './disk-room.ts'
import { adopt, type ScanOptions, scanDisk } from './disk-scan.ts'
import { type EncodedFrame, encodeFrame, openFrame } from './frame.ts'
import { GuardedIndex } from './guarded-index.ts'
import { KeyLock } from './key-lock.ts'
import type { TaggedFound } from './tagged.ts'

/** Files take whole blocks. */
const BLOCK_BYTES = 4096
/** Allowance for what an entry takes in the index. */
const ROW_BYTES = 1024
/** Uses are written to the index so often, ms: a kill forgets no more than that. */
const FLUSH_MS = 2000
/** How many uses may wait for it. */
const MAX_UNWRITTEN_USES = 1000
/** How long a write waits for an index that is being built, ms; what the bound allows is not known before. */
const BUILD_WAIT_MS = 1000

export interface DiskStoreOptions {
  /** Belongs to the store alone; made when it is missing. */
  readonly folder: string
  /** Bound of files (in blocks) and index together, bytes. */
  readonly maxBytes: number
  /** Default 1,000,000. */
  readonly maxEntries?: number
  /** Label of the metrics. */
  readonly name: string
  readonly telemetry: Telemetry
  /**
   * Waits until the bytes of a file are on the device before it gets its name. Off by default: what a power cut tears
   * has the wrong checksum and is a miss.
   */
  readonly sync?: boolean
  /** Wall clock, ms. */
  readonly now?: () => number
  readonly fs?: DiskFs
  /** Pause after repeated failures, ms. Default 3000. */
  readonly pauseMs?: number
}

export interface DiskStore extends Store {
  readonly tier: 'disk'
  /** Resolves when the index is known to fit the files. The store can be used long before. */
  settled(): Promise<void>
}

interface Write {
  readonly tags: readonly string[]
  /** It was deleted or purged before it was there. */
  cancelled: boolean
  done: Promise<void>
}

type Removal = 'removed' | 'absent' | 'failed'

/**
 * Keeps entries as files, least recently used ones go first. `frame.ts` says how they look,
 * `disk-index.ts` how they are found, `disk-scan.ts` what happens when the two do not fit.
 *
 * Every file has a row before it has its name, so what a kill leaves is a row without a file (a miss) or a temporary
 * file (removed at the next start). The index only finds entries; what is served has been checked against the file.
 * After a lost index the facts are those of the `put`: a `touch` is only in the index.
 */
export function createDiskStore(options: DiskStoreOptions): DiskStore {
  return new FolderStore(options)
}

class FolderStore implements DiskStore {
  readonly tier = 'disk'
  readonly #options: DiskStoreOptions
  readonly #files: DiskFiles
  readonly #index: GuardedIndex
  readonly #room: DiskRoom
  readonly #locks = new KeyLock()
  readonly #reads: Breaker
  readonly #writes: Breaker
  readonly #writing = new Map<string, Write>()
  readonly #removing = new Map<string, number>()
  /** Uses that are not in the index yet. */
  #used = new Map<string, number>()
  /** Removals that the index refused. While there are any, everything is a miss. */
  readonly #owed: Where[] = []
  readonly #timer: NodeJS.Timeout
  readonly #scanOptions: ScanOptions
  #scan: Promise<void> = Promise.resolve()
  #building = false
  #scanFailed = false
  #clock = 0
  #closed = false

  constructor(options: DiskStoreOptions) {
    const { folder, fs, sync = false, maxBytes, maxEntries = 1_000_000, pauseMs } = options
    this.#options = options
    this.#files = new DiskFiles(folder, { sync, ...(fs && { fs }) })
    const breaker = () =>
      createBreaker({
        ...(pauseMs !== undefined && { pauseMs }),
        onChange: (paused) => this.#onPause(paused),
      })
    this.#reads = breaker()
    this.#writes = breaker()
    this.#index = new GuardedIndex({
      path: join(folder, 'index.sqlite'),
      prepare: () => mkdirSync(folder, { recursive: true }),
      onError: (operation, error) => this.#report(operation, error),
      onOpen: (index) => this.#onOpen(index),
      onDamagedRow: (key) => void this.#remove(key),
    })
    this.#room = new DiskRoom({
      maxBytes,
      maxEntries,
      totals: () => this.#index.use('totals', (index) => index.totals()),
      evict: () => this.#evict(),
    })
    this.#scanOptions = {
      files: this.#files,
      index: this.#index,
      isBusy: (key) => this.#writing.has(key) || this.#removing.has(key),
      costOf,
      now: () => this.#tick(),
      isStopped: () => this.#closed,
    }
    this.#onPause(false)
    this.#index.use('index-open', (index) => index.totals())
    const sweep = this.#files.removeStaleTemps().catch((error: unknown) => this.#report('sweep', error))
    this.#scan = Promise.all([this.#scan, sweep]).then(() => this.#gauges())
    this.#timer = setInterval(() => void this.#tend(), FLUSH_MS).unref()
  }

  async get(key: string, { signal }: { readonly signal: AbortSignal }): Promise<TaggedFound | undefined> {
    signal.throwIfAborted()
    return abortable(this.#get(key), signal)
  }

  peek(key: string): Meta | undefined {
    if (this.#owed.length > 0 || this.#writing.has(key) || this.#removing.has(key)) return undefined
    const meta = this.#index.use('peek', (index) => index.meta(key) ?? null) ?? undefined
    if (meta !== undefined) this.#use(key)
    return meta
  }

  async open(key: string): Promise<OpenEntry | undefined> {
    const entry = await this.#reading('open', key, async (row, meta) => {
      const file = await this.#files.open(key)
      const { size, digest } = row
      const onBad = async (error?: unknown): Promise<void> => {
        if (error !== undefined) this.#fail(this.#reads, 'open', error)
        await this.#removeBad(key, digest)
      }
      const opened = await openDiskEntry({ file, size, digest, meta, onBad }).catch(
        async (error: unknown) => {
          await file.close().catch(() => {})
          throw error
        },
      )
      if (opened === undefined) await file.close().catch(() => {})
      return opened
    })
    return entry
  }

  put(key: string, entry: Entry): Promise<void> {
    const earlier = this.#writing.get(key)
    if (earlier !== undefined && !earlier.cancelled) return earlier.done
    if (this.#closed) return Promise.resolve()
    const write: Write = { tags: entry.tags, cancelled: false, done: Promise.resolve() }
    this.#writing.set(key, write)
    write.done = this.#put(key, entry, write)
      .catch((error: unknown) => this.#report('put', error))
      .finally(() => {
        if (this.#writing.get(key) === write) this.#writing.delete(key)
        this.#gauges()
      })
    return write.done
  }

  touch(key: string, meta: Meta): void {
    this.#index.use('touch', (index) => index.setMeta(key, meta) ?? null)
  }

  async delete(key: string): Promise<number> {
    return this.#removeWhere({ kind: 'key', text: key })
  }

  async purge(tag: string): Promise<number> {
    return this.#removeWhere({ kind: 'tag', text: tag })
  }

  async purgePrefix(prefix: string): Promise<number> {
    return this.#removeWhere({ kind: 'prefix', text: prefix })
  }

  stats(): { readonly entries: number; readonly bytes: number } {
    return this.#index.use('totals', (index) => index.totals()) ?? { entries: 0, bytes: 0 }
  }

  async settled(): Promise<void> {
    let scan: Promise<void>
    do {
      scan = this.#scan
      await scan
    } while (scan !== this.#scan)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    await Promise.all([...this.#writing.values()].map(({ done }) => done))
    await this.#locks.idle()
    await this.settled()
    this.#flush()
    this.#index.close()
  }

  async #get(key: string): Promise<TaggedFound | undefined> {
    return this.#reading('get', key, async (row, meta) => {
      const bytes = await this.#files.read(key, row.size)
      const frame = bytes && (await openFrame(bytes, key))
      if (frame === undefined || frame.digest !== row.digest) return undefined
      return { meta, bytes: frame.body, tier: 'disk', tags: frame.head.tags }
    })
  }

  /** `read` returns `undefined` for a damaged file. */
  async #reading<T>(
    operation: string,
    key: string,
    read: (row: Row, meta: Meta) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    // What is being written may have its row before its file.
    if (this.#closed || this.#owed.length > 0 || this.#writing.has(key)) return undefined
    let digest: string | undefined
    try {
      const row = await this.#find(key)
      // Only then: the one trial of a paused breaker is not for an entry that is not there.
      if (row === undefined || !this.#reads.allows()) return undefined
      digest = row.digest
      const meta = this.#index.use(operation, (index) => index.meta(key) ?? null)
      if (meta === undefined || meta === null) return undefined
      const result = await read(row, meta)
      this.#reads.succeeded()
      if (result === undefined) await this.#removeBad(key, digest)
      else this.#use(key)
      return result
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        // A kill between row and file, or somebody emptied the folder.
        this.#reads.succeeded()
        await this.#remove(key, digest === undefined ? {} : { digest })
        return undefined
      }
      this.#fail(this.#reads, operation, error)
      // A bad sector stays bad: without this, one file could pause all reading again and again.
      if (codeOf(error) === 'EIO' && digest !== undefined) await this.#remove(key, { digest })
      return undefined
    }
  }

  async #find(key: string): Promise<Row | undefined> {
    const row = this.#index.use('find', (index) => index.row(key) ?? null)
    if (row !== null || !this.#building || this.#scanOptions.isBusy(key)) return row ?? undefined
    return adopt(key, this.#scanOptions)
  }

  async #put(key: string, entry: Entry, write: Write): Promise<void> {
    const frame = await encodeFrame(key, entry)
    if (frame === undefined || this.#owed.length > 0) return
    if (this.#building && !(await this.#isBuilt())) return
    if (write.cancelled || !this.#writes.allows()) return
    const cost = costOf(frame.bytes)
    if (!(await this.#room.reserve(cost))) return
    try {
      await this.#locks.run(key, () => this.#store(key, entry, frame, write))
    } finally {
      this.#room.release(cost)
    }
  }

  async #store(key: string, entry: Entry, frame: EncodedFrame, write: Write): Promise<void> {
    const row = { key, size: frame.bytes, cost: costOf(frame.bytes), digest: frame.digest }
    const facts = { meta: entry.meta, tags: entry.tags, usedAt: this.#tick() }
    let temp: string | undefined
    let indexed = false
    try {
      temp = await this.#files.writeTemp(frame.parts)
      if (!write.cancelled)
        indexed = this.#index.use('put', (index) => index.put(row, facts) ?? true) === true
      if (!indexed) return await this.#files.discard(temp)
      this.#used.delete(key)
      await this.#files.publish(temp, key)
      this.#writes.succeeded()
    } catch (error) {
      this.#fail(this.#writes, 'put', error)
      if (temp !== undefined) await this.#files.discard(temp)
      if (indexed) await this.#removeLocked(key, {})
      return
    }
    // A reader in another process may have found the row before the file, and removed it.
    this.#index.use('put', (index) => {
      if (index.row(key)?.digest !== row.digest) index.put(row, facts)
      return null
    })
  }

  async #isBuilt(): Promise<boolean> {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, BUILD_WAIT_MS).unref())
    await Promise.race([this.#scan, timeout])
    return !this.#building
  }

  async #evict(): Promise<boolean> {
    this.#flush()
    const oldest = this.#index.use('evict', (index) => index.oldest(this.#writing.size + 1))
    // Evicting what is being replaced would only make the old file disappear a little earlier.
    const key = oldest?.find((candidate) => !this.#writing.has(candidate)) ?? oldest?.[0]
    if (key === undefined) return false
    const removal = await this.#remove(key, { keepUnlessUnlinked: true })
    if (removal === 'removed')
      this.#options.telemetry.count('sluice_store_evictions_total', { store: this.#options.name })
    return removal !== 'failed'
  }

  async #removeWhere(where: Where): Promise<number> {
    for (const [key, write] of this.#writing) if (isMeant(where, key, write.tags)) write.cancelled = true
    const { count, failed } = await this.#removeMatching(where)
    if (failed && !this.#closed) this.#owed.push(where)
    this.#gauges()
    return count
  }

  async #removeMatching(where: Where): Promise<{ readonly count: number; readonly failed: boolean }> {
    // A file that is not in the index yet has to be found by its tag too, and gone before this resolves.
    if (this.#building && where.kind !== 'key') await this.#scan
    let count = 0
    const noted = this.#index.use('purge', (index) => {
      if (!index.complete) index.addPurge(where)
      return true
    })
    if (noted === undefined) return { count, failed: true }
    if (where.kind === 'key') {
      const removal = await this.#remove(where.text)
      return { count: removal === 'removed' ? 1 : 0, failed: removal === 'failed' }
    }
    for (;;) {
      const keys = this.#index.use('purge', (index) => index.matching(where, 64))
      if (keys === undefined) return { count, failed: true }
      if (keys.length === 0) return { count, failed: false }
      const removals = await Promise.all(keys.map((key) => this.#remove(key)))
      count += removals.filter((removal) => removal === 'removed').length
      // A row that was replaced in the meantime without the tag is 'absent' here and gone from the next list.
      if (removals.includes('failed')) return { count, failed: true }
    }
  }

  async #removeBad(key: string, digest: string): Promise<void> {
    const removal = await this.#remove(key, { digest })
    // Not what was replaced while it was read.
    if (removal !== 'absent') this.#report('verify', new Error(`The stored bytes of "${key}" are damaged`))
  }

  async #remove(
    key: string,
    options: { readonly digest?: string; readonly keepUnlessUnlinked?: boolean } = {},
  ): Promise<Removal> {
    this.#removing.set(key, (this.#removing.get(key) ?? 0) + 1)
    try {
      return await this.#locks.run(key, () => this.#removeLocked(key, options))
    } finally {
      const left = (this.#removing.get(key) ?? 1) - 1
      if (left > 0) this.#removing.set(key, left)
      else this.#removing.delete(key)
    }
  }

  async #removeLocked(
    key: string,
    {
      digest,
      keepUnlessUnlinked = false,
    }: { readonly digest?: string; readonly keepUnlessUnlinked?: boolean },
  ): Promise<Removal> {
    const row = this.#index.use('remove', (index) => index.row(key) ?? null)
    if (digest !== undefined && row?.digest !== digest) return row === undefined ? 'failed' : 'absent'
    // The file first: a kill in between leaves a row, which the next reader removes, not a file that nobody counts.
    const unlinked = await this.#files.unlink(key).catch((error: unknown) => {
      this.#report('remove', error)
      return undefined
    })
    if (unlinked === undefined && keepUnlessUnlinked) return 'failed'
    this.#used.delete(key)
    const removed = this.#index.use('remove', (index) => index.remove(key) ?? true)
    if (removed === undefined) return 'failed'
    return row === null && unlinked !== true ? 'absent' : 'removed'
  }

  #use(key: string): void {
    this.#used.set(key, this.#tick())
    if (this.#used.size >= MAX_UNWRITTEN_USES) this.#flush()
  }

  #flush(): void {
    if (this.#used.size === 0) return
    const used = this.#used
    this.#used = new Map()
    // Lost when the index is busy: then some entries look older than they are.
    this.#index.use('flush', (index) => index.setUsed(used) ?? null)
  }

  /** Wall clock in microseconds that never stands still nor goes back: it orders uses, over restarts too. */
  #tick(): number {
    const { now = Date.now } = this.#options
    this.#clock = Math.max(this.#clock + 1, Math.floor(now() * 1000))
    return this.#clock
  }

  /** What is due now and then. */
  async #tend(): Promise<void> {
    this.#flush()
    if (this.#scanFailed) this.#startScan()
    while (this.#owed.length > 0 && !this.#closed) {
      const [where] = this.#owed as [Where]
      const { failed } = await this.#removeMatching(where)
      if (failed) return
      this.#owed.splice(this.#owed.indexOf(where), 1)
    }
    this.#gauges()
  }

  #onOpen(index: DiskIndex): void {
    this.#clock = Math.max(this.#clock, index.lastUsedAt())
    if (!index.complete && isEmptyFolder(join(this.#options.folder, 'objects'))) index.setComplete()
    this.#building = !index.complete
    if (this.#building) {
      const { name, telemetry } = this.#options
      telemetry.log('warn', 'The index of a store is built anew from its files', { store: name })
    }
    this.#startScan()
  }

  #startScan(): void {
    this.#scanFailed = false
    this.#scan = this.#scan.then(() => this.#runScan())
  }

  async #runScan(): Promise<void> {
    try {
      if (await scanDisk(this.#scanOptions)) {
        this.#building = false
        await this.#room.trim()
      }
    } catch (error) {
      // Tried again soon. Nothing is written until an index that was lost is whole: the bound is not known.
      this.#scanFailed = true
      this.#report('scan', error)
    }
  }

  #fail(breaker: Breaker, operation: string, error: unknown): void {
    this.#report(operation, error)
    breaker.failed()
  }

  #report(operation: string, error: unknown): void {
    const { name, telemetry } = this.#options
    telemetry.count('sluice_store_errors_total', { store: name, operation })
    telemetry.log('debug', 'A store operation failed', { store: name, operation, error: String(error) })
  }

  #onPause(paused: boolean): void {
    const { name, telemetry } = this.#options
    const either = paused || this.#reads?.paused || this.#writes?.paused
    telemetry.gauge('sluice_store_paused', either ? 1 : 0, { store: name })
    if (paused) telemetry.log('warn', 'A store is paused after repeated failures', { store: name })
  }

  #gauges(): void {
    if (this.#closed) return
    const { name, telemetry } = this.#options
    const { entries, bytes } = this.stats()
    telemetry.gauge('sluice_store_bytes', bytes, { store: name })
    telemetry.gauge('sluice_store_entries', entries, { store: name })
  }
}

/** Bytes of the bound that a file of this size takes. */
function costOf(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES + ROW_BYTES
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch (error) {
    return codeOf(error) === 'ENOENT'
  }
}
