/** What an origin said of a version of its bytes; asked with again, it spares a download. */
export interface Validators {
  /** As received, quotes and `W/` included. */
  readonly etag?: string
  /** As received. */
  readonly lastModified?: string
  /** Versions of buckets: what names exactly these bytes for ever. */
  readonly versionId?: string
}

/** How long the bytes of an origin may be used without asking again, by its own words. */
export interface Freshness {
  /** Seconds; `undefined` when the origin says nothing. */
  readonly maxAgeSeconds: number | undefined
  /** `false` for `no-store`, `private`, `Set-Cookie` and a `Vary` on what is never sent: nothing may be kept. */
  readonly storable: boolean
  readonly staleWhileRevalidateSeconds?: number
  readonly staleIfErrorSeconds?: number
}

/** An opened source: what identifies it, and its bytes. Whoever got it calls `close()`, in any case. */
export interface OpenedSource {
  /**
   * Sources at hand: changes whenever the bytes may have changed, so that nothing has to be read to know a variant.
   * Remote ones have none: their bytes are hashed.
   */
  readonly identity: string | undefined
  /** Bytes announced; a hint, never trusted. */
  readonly bytes: number | undefined
  /** Last change, for `Last-Modified`. */
  readonly modified: Date | undefined
  /** Remote sources only. */
  readonly validators?: Validators
  readonly freshness?: Freshness
  /**
   * The bytes in chunks that are only valid until the next one is asked for.
   *
   * @throws {SluiceError} `source-too-large` past `maxBytes`; `origin-failed` for a body that is shorter or longer
   *   than announced; `origin-timeout`; the signal's reason.
   */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Sources that lie at hand put their next bytes straight into memory of the caller: how many, 0 at the end.
   * Reads what `read` would, once.
   */
  readonly readInto?: (targets: readonly Uint8Array[]) => Promise<number>
  close(): Promise<void>
}

/** The origin says that the bytes known by the given validators are still its own. */
export interface NotModified {
  readonly notModified: true
  readonly freshness: Freshness
}

export interface OpenSourceOptions {
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** Remote sources: ask for the bytes only if they are others than these. */
  readonly known?: Validators
  /** Hosts that have passed this request on already, from its `Via`; a loop is refused. */
  readonly via?: string
}

/** A kind of place where images lie. */
export interface Source {
  readonly kind: string
  /** Whether its bytes come from elsewhere: they are kept in the source cache, and asked for again when stale. */
  readonly remote: boolean
  /** Whether this source is meant by a reference such as `photos/cat.jpg`, `name:path` or `https://…`. */
  claims(ref: string): boolean
  /**
   * One text for all spellings of a reference, for keys, tags and single-flight.
   *
   * @throws {SluiceError} `source-forbidden` for what is never allowed.
   */
  canonical(ref: string): string
  /**
   * @throws {SluiceError} `source-not-found`, `source-forbidden`, `origin-failed`, `origin-timeout`, `origin-busy`; the
   *   signal's reason.
   */
  open(ref: string, options: OpenSourceOptions): Promise<OpenedSource | NotModified>
  /** Ends connections and timers. */
  close?(): Promise<void>
}
