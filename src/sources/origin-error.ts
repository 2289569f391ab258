import { type ErrorFacts, SluiceError, type SluiceErrorOptions } from '../errors/index.ts'
import type { Telemetry } from '../telemetry/index.ts'

/** Why a reference is refused; label values of `sluice_source_denials_total`. */
export type DenialReason =
  | 'off'
  | 'text'
  | 'scheme'
  | 'userinfo'
  | 'port'
  | 'host'
  | 'name'
  | 'address'
  | 'peer'
  | 'downgrade'
  | 'loop'

/** Why an origin gave nothing; label values of `sluice_origin_failures_total`. */
export type FailureReason =
  | 'dns'
  | 'connect'
  | 'tls'
  | 'reset'
  | 'protocol'
  | 'status'
  | 'encoding'
  | 'length'
  | 'redirects'
  | 'not-found'
  | 'too-large'
  | 'timeout'
  | 'busy'

export type Phase = 'dns' | 'connect' | 'tls' | 'first byte' | 'idle' | 'rate' | 'total'

type Code =
  | 'origin-failed'
  | 'origin-timeout'
  | 'origin-busy'
  | 'source-forbidden'
  | 'source-not-found'
  | 'source-too-large'

interface OriginErrorOptions extends SluiceErrorOptions {
  readonly denial?: DenialReason
  readonly failure?: FailureReason
  readonly retryable?: boolean
  readonly strike?: boolean
}

/** What went wrong on the way to an origin. The message is for strangers; `internal` has the truth. */
export class OriginError extends SluiceError {
  readonly denial: DenialReason | undefined
  readonly failure: FailureReason | undefined
  /** The connection was lost before the origin had said a word: the request may be sent once more. */
  readonly retryable: boolean
  /** The origin is at fault, not the reference: some of these in a row and it is left alone. */
  readonly strike: boolean

  private constructor(code: Code, detail: string, options: OriginErrorOptions) {
    const { denial, failure, retryable = false, strike = false, ...rest } = options
    super(code, detail, rest)
    this.denial = denial
    this.failure = failure
    this.retryable = retryable
    this.strike = strike
  }

  /** One sentence for every denial: the answer never tells what lies behind a name. */
  static denied(denial: DenialReason, internal: string): OriginError {
    const facts: ErrorFacts = denial === 'loop' ? { loop: true } : {}
    const detail = 'Cannot read this source: it is not allowed'
    return new OriginError('source-forbidden', detail, { denial, internal: `${denial}: ${internal}`, facts })
  }

  /** No name, no route, no handshake: strangers cannot tell which. */
  static unreachable(failure: 'dns' | 'connect' | 'tls', internal: string, retryable = false): OriginError {
    const detail = 'Cannot fetch this source: the origin cannot be reached'
    return new OriginError('origin-failed', detail, { failure, internal, retryable, strike: true })
  }

  /** @param state What the origin did: `the origin answered 503, expected 200`. */
  static failed(failure: FailureReason, state: string, options: FailedOptions = {}): OriginError {
    return new OriginError('origin-failed', `Cannot fetch this source: ${state}`, { failure, ...options })
  }

  /** An answer against the rules of HTTP. */
  static malformed(internal: string): OriginError {
    return OriginError.failed('protocol', 'the origin answered wrongly', { internal, strike: true })
  }

  static notFound(status: number): OriginError {
    const detail = `Cannot find this source: the origin answered ${status}`
    return new OriginError('source-not-found', detail, { failure: 'not-found' })
  }

  static tooLarge(maxBytes: number): OriginError {
    const setting = 'SLUICE_MAX_SOURCE_BYTES'
    const detail = `Cannot fetch this source: it has more than ${maxBytes} bytes ("${setting}")`
    const facts = { limit: 'bytes', max: maxBytes, setting }
    return new OriginError('source-too-large', detail, { failure: 'too-large', facts })
  }

  static timedOut(phase: Phase): OriginError {
    const detail = 'Cannot fetch this source: the origin is too slow'
    return new OriginError('origin-timeout', detail, {
      failure: 'timeout',
      internal: `timeout: ${phase}`,
      strike: true,
    })
  }

  /** @param waitMs When it is worth asking again. */
  static busy(internal: string, waitMs: number): OriginError {
    const detail = 'Cannot fetch this source now: too much is asked of its origin'
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
    return new OriginError('origin-busy', detail, { failure: 'busy', internal, retryAfterSeconds })
  }
}

interface FailedOptions {
  readonly internal?: string
  readonly retryable?: boolean
  readonly strike?: boolean
}

/** Counts what went wrong; other errors are none of its business. */
export function reportOrigin(telemetry: Telemetry, error: unknown): void {
  if (!(error instanceof OriginError)) return
  const { denial, failure } = error
  if (denial !== undefined) telemetry.count('sluice_source_denials_total', { reason: denial })
  if (failure !== undefined) telemetry.count('sluice_origin_failures_total', { reason: failure })
}
