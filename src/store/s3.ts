import type { Telemetry } from '../telemetry/index.ts'
import { createBreaker } from './breaker.ts'
import type { Entry, Store } from './define.ts'
import { encodeFrame, openFrame } from './frame.ts'
import { openBytes } from './memory.ts'
import { createS3Objects, type S3Client, type S3Objects } from './s3-objects.ts'
import type { TaggedFound } from './tagged.ts'

/** Longest tag in a marker's name: S3 keys end at 1024 bytes. */
const MAX_TAG_BYTES = 700
const TIMEOUT_MS = 5000

export interface S3StoreOptions {
  readonly bucket: string
  /** In front of every name, without a slash at the end. Default: none. */
  readonly prefix?: string
  /** Of a service that speaks S3; AWS itself when left out. */
  readonly endpoint?: string
  readonly region?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. */
  readonly pathStyle?: boolean
  /** Made from the settings above when left out. */
  readonly client?: S3Client
  /** Label of the metrics. */
  readonly name: string
  readonly telemetry: Telemetry
  /** Larger objects are neither read nor written, bytes. Default 256 MiB. */
  readonly maxObjectBytes?: number
  /** Of one request, ms. Default 5000. */
  readonly timeoutMs?: number
  /** Pause after repeated failures, ms. Default 3000. */
  readonly pauseMs?: number
}

export interface S3Store extends Store {
  readonly tier: 's3'
}

/** A removal that did not get through. */
type Removal = () => Promise<number>

/**
 * Keeps entries in a bucket that several services may share, as the lowest tier. What is read from there is checked
 * like any foreign input: frame, lengths, checksum, key.
 *
 * Objects are `objects/ab/<key>`; for each tag there is an empty marker `tags/<tag, percent-encoded>/<key>`, written
 * before the object, so that a purge is a listing of markers. An entry with a tag over 700 bytes is not kept. Nothing
 * here limits the size of the bucket: give it a lifecycle rule. `peek` knows nothing and `touch` changes nothing here.
 * While a removal that failed is owed, everything is a miss in this process; it is tried again with the next use.
 *
 * @throws {Error} when the SDK is not installed.
 */
export async function createS3Store(options: S3StoreOptions): Promise<S3Store> {
  const { prefix = '', maxObjectBytes = 256 * 1024 * 1024 } = options
  const objects = await createS3Objects({ ...options, prefix, maxObjectBytes })
  return new BucketStore(options, objects, maxObjectBytes)
}

class BucketStore implements S3Store {
  readonly tier = 's3'
  readonly #options: S3StoreOptions
  readonly #objects: S3Objects
  readonly #maxObjectBytes: number
  readonly #breaker
  readonly #writing = new Map<string, Promise<void>>()
  readonly #owed = new Set<Removal>()
  #settling: Promise<void> | undefined
  #closed = false

  constructor(options: S3StoreOptions, objects: S3Objects, maxObjectBytes: number) {
    const { name, telemetry, pauseMs } = options
    this.#options = options
    this.#objects = objects
    this.#maxObjectBytes = maxObjectBytes
    this.#breaker = createBreaker({
      ...(pauseMs !== undefined && { pauseMs }),
      onChange: (paused) => telemetry.gauge('sluice_store_paused', paused ? 1 : 0, { store: name }),
    })
    telemetry.gauge('sluice_store_paused', 0, { store: name })
  }

  async get(key: string, { signal }: { readonly signal: AbortSignal }): Promise<TaggedFound | undefined> {
    signal.throwIfAborted()
    if (!(await this.#usable())) return undefined
    const bytes = await this.#try('get', (timeout) =>
      this.#objects.get(objectName(key), AbortSignal.any([signal, timeout])),
    )
    signal.throwIfAborted()
    if (bytes === undefined) return undefined
    const frame = await openFrame(bytes, key)
    if (frame === undefined) {
      this.#report('verify', new Error(`The stored bytes of "${key}" are damaged`))
      await this.#removeOrOwe(() => this.#deleteOne(key))
      return undefined
    }
    return { meta: frame.head.meta, bytes: frame.body, tier: 's3', tags: frame.head.tags }
  }

  peek(): undefined {
    return undefined
  }

  async open(key: string) {
    const found = await this.get(key, { signal: new AbortController().signal })
    return found && openBytes(found.meta, found.bytes)
  }

  put(key: string, entry: Entry): Promise<void> {
    const earlier = this.#writing.get(key)
    if (earlier !== undefined) return earlier
    const done = this.#put(key, entry).finally(() => this.#writing.delete(key))
    this.#writing.set(key, done)
    return done
  }

  touch(): void {}

  delete(key: string): Promise<number> {
    return this.#removeOrOwe(() => this.#deleteOne(key))
  }

  purge(tag: string): Promise<number> {
    return this.#removeOrOwe(() => this.#deleteMarked(markerFolder(tag)))
  }

  purgePrefix(prefix: string): Promise<number> {
    return this.#removeOrOwe(() => this.#deleteMarked(`tags/${encodeURIComponent(prefix.toWellFormed())}`))
  }

  /** Counting a bucket is a listing of all of it: not done. */
  stats() {
    return { entries: 0, bytes: 0 }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#writing.values())
    this.#objects.close()
  }

  async #put(key: string, entry: Entry): Promise<void> {
    if (!(await this.#usable())) return
    const markers = [...new Set(entry.tags)].map((tag) => `${markerFolder(tag)}${key}`)
    if (markers.some((name) => name.length > MAX_TAG_BYTES + 100)) return
    const frame = await encodeFrame(key, entry)
    if (frame === undefined || frame.bytes > this.#maxObjectBytes) return
    const bytes = Buffer.concat(frame.parts)
    await this.#try('put', async (signal) => {
      // An object without its markers could never be purged.
      await Promise.all(markers.map((name) => this.#objects.put(name, Buffer.alloc(0), signal)))
      await this.#objects.put(objectName(key), bytes, signal)
      return undefined
    })
  }

  async #deleteOne(key: string): Promise<number> {
    await this.#writing.get(key)
    const signal = this.#timeout()
    const there = await this.#objects.has(objectName(key), signal)
    if (there) await this.#objects.delete([objectName(key)], signal)
    return there ? 1 : 0
  }

  async #deleteMarked(folder: string): Promise<number> {
    await Promise.all(this.#writing.values())
    const removed = new Set<string>()
    for (;;) {
      // Always the first page: what was on it is gone by the next turn.
      const markers = await this.#objects.list(folder, this.#timeout())
      if (markers.length === 0) return removed.size
      const keys = [...new Set(markers.map((name) => name.slice(-64)))].filter((key) =>
        /^[0-9a-f]{64}$/.test(key),
      )
      const signal = this.#timeout()
      await this.#objects.delete(keys.map(objectName), signal)
      // The markers last: a removal that breaks off can be repeated.
      await this.#objects.delete(markers, signal)
      for (const key of keys) removed.add(key)
    }
  }

  /** A removal must not get lost: until it is done, nothing is served from here. */
  async #removeOrOwe(removal: Removal): Promise<number> {
    try {
      const count = await removal()
      this.#breaker.succeeded()
      return count
    } catch (error) {
      this.#report('remove', error)
      this.#breaker.failed()
      this.#owed.add(removal)
      return 0
    }
  }

  async #usable(): Promise<boolean> {
    if (this.#closed) return false
    if (this.#owed.size === 0) return this.#breaker.allows()
    if (this.#settling === undefined && this.#breaker.allows())
      this.#settling = this.#settle().finally(() => {
        this.#settling = undefined
      })
    // Not waited for: a bucket in trouble must not make a request slow.
    return false
  }

  async #settle(): Promise<void> {
    for (const removal of [...this.#owed]) {
      this.#owed.delete(removal)
      await this.#removeOrOwe(removal)
      if (this.#breaker.paused) return
    }
  }

  async #try<T>(operation: string, call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const timeout = this.#timeout()
    try {
      const result = await call(timeout)
      this.#breaker.succeeded()
      return result
    } catch (error) {
      // The caller left: that says nothing about the bucket. The SDK names a timeout the same.
      if ((error as Error).name === 'AbortError' && !timeout.aborted) return undefined
      this.#report(operation, error)
      this.#breaker.failed()
      return undefined
    }
  }

  #timeout(): AbortSignal {
    return AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS)
  }

  #report(operation: string, error: unknown): void {
    const { name, telemetry } = this.#options
    telemetry.count('sluice_store_errors_total', { store: name, operation })
    telemetry.log('debug', 'A store operation failed', { store: name, operation, error: String(error) })
  }
}

function objectName(key: string): string {
  return `objects/${key.slice(0, 2)}/${key}`
}

function markerFolder(tag: string): string {
  return `tags/${encodeURIComponent(tag.toWellFormed())}/`
}
