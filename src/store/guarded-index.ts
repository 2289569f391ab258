import { rmSync } from 'node:fs'
import { DamagedRow, DiskIndex } from './disk-index.ts'

/** Time between two tries to open an index that does not open, ms. */
const REOPEN_MS = 2000
/** https://www.sqlite.org/rescode.html */
const SQLITE = { READONLY: 8, IOERR: 10, CORRUPT: 11, CANTOPEN: 14, NOTADB: 26 } as const

export interface GuardedIndexOptions {
  readonly path: string
  /** Makes the folder; may throw. */
  prepare(): void
  onError(operation: string, error: unknown): void
  /** An index has been opened, for the first time or anew. */
  onOpen(index: DiskIndex): void
  onDamagedRow(key: string): void
}

/**
 * Keeps the failures of SQLite away from the store: a damaged index is thrown away and begun anew, one that cannot be
 * opened is tried again later, and a call that fails has the outcome `undefined`.
 */
export class GuardedIndex {
  readonly #options: GuardedIndexOptions
  #index: DiskIndex | undefined
  #retryAt = 0
  #closed = false

  constructor(options: GuardedIndexOptions) {
    this.#options = options
  }

  /** @returns `undefined` when the call failed; otherwise what it returned, which is never `undefined`. */
  use<T extends NonNullable<unknown> | null>(
    operation: string,
    call: (index: DiskIndex) => T,
  ): T | undefined {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const index = this.#opened()
      if (index === undefined) return undefined
      try {
        return call(index)
      } catch (error) {
        this.#options.onError(operation, error)
        if (error instanceof DamagedRow) {
          this.#options.onDamagedRow(error.key)
          return undefined
        }
        if (!this.#forget(error)) return undefined
      }
    }
    return undefined
  }

  close(): void {
    this.#closed = true
    this.#drop()
  }

  #opened(): DiskIndex | undefined {
    if (this.#index !== undefined || this.#closed || performance.now() < this.#retryAt) return this.#index
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        this.#options.prepare()
        this.#index = new DiskIndex(this.#options.path)
        this.#options.onOpen(this.#index)
        return this.#index
      } catch (error) {
        this.#options.onError('index-open', error)
        this.#retryAt = performance.now() + REOPEN_MS
        if (!this.#forget(error)) break
      }
    }
    return this.#index
  }

  /** @returns Whether a new index may do better at once. */
  #forget(error: unknown): boolean {
    const result = ((error as { errcode?: number }).errcode ?? 0) & 0xff
    if (result === SQLITE.CORRUPT || result === SQLITE.NOTADB) {
      this.#drop()
      this.#retryAt = 0
      try {
        for (const suffix of ['', '-wal', '-shm']) rmSync(this.#options.path + suffix, { force: true })
        return true
      } catch {
        // It stays as it is until it can be removed.
        this.#retryAt = performance.now() + REOPEN_MS
        return false
      }
    }
    if (result === SQLITE.IOERR || result === SQLITE.READONLY || result === SQLITE.CANTOPEN) {
      this.#drop()
      this.#retryAt = performance.now() + REOPEN_MS
    }
    return false
  }

  #drop(): void {
    const index = this.#index
    this.#index = undefined
    try {
      index?.close()
    } catch {
      // Its file is in no state to be closed in order.
    }
  }
}
