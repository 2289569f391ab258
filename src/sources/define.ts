/** An opened source: what identifies it, and its bytes. Whoever got it calls `close()`. */
export interface OpenedSource {
  /** Changes whenever the bytes may have changed; part of the variant's key. */
  readonly identity: string
  /** Bytes announced; a hint, never trusted. */
  readonly bytes: number
  /** Last change, for `Last-Modified`. */
  readonly modified: Date | undefined
  /** The bytes in chunks that are only valid until the next one is asked for. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Sources that lie at hand put their next bytes straight into memory of the caller: how many, 0 at the end.
   * Reads what `read` would, once.
   */
  readonly readInto?: (targets: readonly Uint8Array[]) => Promise<number>
  close(): Promise<void>
}

/** A kind of place where images lie. */
export interface Source {
  readonly kind: string
  /** Whether this source is meant by a reference such as `photos/cat.jpg` or `name:path`. */
  claims(ref: string): boolean
  /** @throws {SluiceError} `source-not-found`, `source-forbidden`; the signal's reason. */
  open(ref: string, options: { readonly signal: AbortSignal }): Promise<OpenedSource>
}
