import type { Exchange } from './exchange.ts'
import { OriginError } from './origin-error.ts'

export interface ReadBodyOptions {
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** Bytes per second; 0 is none. */
  readonly minRate: number
  readonly minRateAfterMs: number
  /** Told how it ended: `done`, the error, or nothing when whoever read has left. May be told more than once. */
  end(outcome?: unknown): void
}

/**
 * The body of an answer, cut off where it grows too large or too slow.
 *
 * @throws {OriginError} `source-too-large`, `origin-timeout`, `origin-failed`; the signal's reason.
 */
export async function* readBody(answer: Exchange, options: ReadBodyOptions): AsyncGenerator<Uint8Array> {
  const { signal, maxBytes, minRate, minRateAfterMs, end } = options
  const leave = () => end()
  signal.addEventListener('abort', leave, { once: true })
  let received = 0
  let waitedMs = 0
  try {
    for (;;) {
      signal.throwIfAborted()
      const askedAtMs = performance.now()
      const chunk = await answer.next()
      if (chunk === undefined) break
      // Only time that the origin took counts: whoever reads may be slow.
      waitedMs += performance.now() - askedAtMs
      received += chunk.length
      if (received > maxBytes) throw OriginError.tooLarge(maxBytes)
      if (waitedMs > minRateAfterMs && received < (minRate * waitedMs) / 1000)
        throw OriginError.timedOut('rate')
      yield chunk
    }
    end('done')
  } catch (error) {
    signal.throwIfAborted()
    end(error)
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
    end()
  }
}
