import type { Readable } from 'node:stream'
import { SluiceError } from '../errors/index.ts'

export interface ReadBucketBodyOptions {
  readonly announced: number | undefined
  readonly maxBytes: number
  /** The error of the one byte too many. */
  tooLarge(actual: number, maxBytes: number): SluiceError
  readonly idleMs: number
  /** All waiting together; the time of the reader does not count. */
  readonly totalMs: number
  readonly signal: AbortSignal
}

/**
 * The chunks of an origin's body, with every budget kept: it ends exactly at the announced length, or not at all.
 *
 * @throws {SluiceError} `origin-failed`, `origin-timeout`, the error of `tooLarge`; the signal's reason. The body is
 *   destroyed in each case.
 */
export async function* readBucketBody(
  body: Readable,
  { announced, maxBytes, tooLarge, idleMs, totalMs, signal }: ReadBucketBodyOptions,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  const waits = { remainingMs: totalMs }
  let received = 0
  try {
    for (;;) {
      const { done, value } = await nextChunk(
        body,
        chunks,
        Math.min(idleMs, waits.remainingMs),
        waits,
        signal,
      )
      if (done === true) break
      received += value.byteLength
      if (received > maxBytes) throw tooLarge(received, maxBytes)
      if (announced !== undefined && received > announced) throw wrongLength(received, announced)
      yield value
    }
    if (announced !== undefined && received !== announced) throw wrongLength(received, announced)
  } finally {
    body.destroy()
  }
}

async function nextChunk(
  body: Readable,
  chunks: AsyncIterator<Uint8Array>,
  limitMs: number,
  waits: { remainingMs: number },
  signal: AbortSignal,
): Promise<IteratorResult<Uint8Array>> {
  signal.throwIfAborted()
  const started = performance.now()
  const abort = () => body.destroy(new Error('aborted'))
  let late = false
  const timer = setTimeout(
    () => {
      late = true
      body.destroy(new Error('late'))
    },
    Math.max(1, limitMs),
  )
  signal.addEventListener('abort', abort, { once: true })
  try {
    const result = await chunks.next()
    signal.throwIfAborted()
    if (late) throw new Error('late')
    return result
  } catch (error) {
    signal.throwIfAborted()
    if (late)
      throw new SluiceError('origin-timeout', 'Cannot fetch this source: its origin stopped sending', {
        internal: `no byte for ${Math.round(performance.now() - started)} ms, or too slow in all`,
      })
    throw new SluiceError('origin-failed', 'Cannot fetch this source: its origin broke off', {
      // The code alone: messages of an SDK may quote what was sent.
      internal: `the body broke off: ${(error as NodeJS.ErrnoException).code ?? 'no code'}`,
    })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    waits.remainingMs -= performance.now() - started
  }
}

function wrongLength(received: number, announced: number): SluiceError {
  return new SluiceError('origin-failed', 'Cannot fetch this source: its length is not the announced one', {
    internal: `${received} bytes received, ${announced} announced`,
  })
}
