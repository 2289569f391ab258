import { catalog, type ErrorCode } from './catalog.ts'

/** Facts of an error that a client may see, as extension members of the problem document. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>

export interface SluiceErrorOptions {
  /** Facts that a client may see. */
  readonly facts?: ErrorFacts
  /** What only the log may hold: internal addresses, library messages, paths. Never sent out. */
  readonly internal?: string
  readonly cause?: unknown
  /** Seconds for `Retry-After`; only meaningful on 429 and 503. */
  readonly retryAfterSeconds?: number
}

/**
 * The one error of Sluice: a stable `code` of the catalogue and a detail for people.
 *
 * `message` says what was attempted, then the state and the wish. Sentence case, no final
 * period, values in double quotes, secrets redacted.
 */
export class SluiceError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts
  readonly internal: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, detail: string, options: SluiceErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.facts = options.facts ?? {}
    this.internal = options.internal
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  /** HTTP status of this error; uploads answer some of them differently. */
  status(from: 'source' | 'upload' = 'source'): number {
    const entry = catalog[this.code]
    return from === 'upload' && entry.uploadStatus !== undefined ? entry.uploadStatus : entry.status
  }
}
