/** Facts beside the bytes: plain JSON, small. */
export type Meta = Readonly<Record<string, unknown>>

/** Something that is kept: its facts, its bytes, and the tags it may be purged by. */
export interface Entry {
  readonly meta: Meta
  /** In order; together the whole. */
  readonly chunks: readonly Uint8Array[]
  /** Short texts, such as `source:<canonical reference>`; an entry has a handful. */
  readonly tags: readonly string[]
}

/** An entry that was found. */
export interface Found {
  readonly meta: Meta
  readonly bytes: Uint8Array
  /** Where it was: `memory`, `disk`, `s3`. */
  readonly tier: string
}

/** An entry whose bytes are read by the caller, into memory of its own. Whoever got it calls `close()`. */
export interface OpenEntry {
  readonly meta: Meta
  readonly bytes: number
  /**
   * Puts the next bytes into `targets`, in order: how many, 0 at the end. The last bytes are only delivered when the
   * whole has its checksum.
   *
   * @throws {Error} when the bytes are not those that were put: the entry is gone then, as if it had never been there.
   */
  readInto(targets: readonly Uint8Array[]): Promise<number>
  close(): Promise<void>
}

/**
 * Keeps bytes by key. A store never makes a request fail: what goes wrong is a miss, a counter and, when it goes on, a
 * pause. Keys are 64 lower-case hexadecimal digits.
 */
export interface Store {
  /** @throws the signal's reason, nothing else. */
  get(key: string, options: { readonly signal: AbortSignal }): Promise<Found | undefined>
  /** Facts alone, without touching the bytes; counts as a use. */
  peek(key: string): Meta | undefined
  /** As `get`, for bytes that should not be in memory twice. */
  open(key: string): Promise<OpenEntry | undefined>
  /** Resolves when the entry is as durable as it will be, or given up; never rejects. The bytes are read before that. */
  put(key: string, entry: Entry): Promise<void>
  /** Replaces the facts of an entry that is there. */
  touch(key: string, meta: Meta): void
  /** How many there were. */
  delete(key: string): Promise<number>
  /** Every entry with this tag; how many there were. */
  purge(tag: string): Promise<number>
  /** Every entry one of whose tags begins so; how many there were. */
  purgePrefix(prefix: string): Promise<number>
  stats(): { readonly entries: number; readonly bytes: number }
  close(): Promise<void>
}
