import type { Readable } from 'node:stream'
import { LimitError, SluiceError } from '../errors/index.ts'
import { silentTelemetry, type Telemetry } from '../telemetry/index.ts'
import { readBucketBody } from './bucket-body.ts'
import { type BucketAnswer, bucketError } from './bucket-error.ts'
import { type BucketKey, canonicalRef, meansBucket, readKey } from './bucket-key.ts'
import type { BucketSettings } from './buckets.ts'
import { freshnessOf } from './cache-control.ts'
import type { NotModified, OpenedSource, OpenSourceOptions, Source, Validators } from './define.ts'

export interface BucketTimeouts {
  readonly connectMs: number
  /** From the connection to the first byte of the answer, credentials of roles included. */
  readonly firstByteMs: number
  /** Between two chunks of the body. */
  readonly idleMs: number
  /** All waiting for the bucket, from the request to the last byte; a slow reader does not count. */
  readonly totalMs: number
}

export const BUCKET_TIMEOUTS: BucketTimeouts = {
  connectMs: 2000,
  firstByteMs: 5000,
  idleMs: 3000,
  totalMs: 10_000,
}

export interface BucketSourceOptions {
  readonly telemetry?: Telemetry
  readonly timeouts?: Partial<BucketTimeouts>
}

/** An object as a vendor's SDK hands it over. */
export interface FetchedObject {
  readonly body: Readable
  readonly bytes: number | undefined
  readonly modified: Date | undefined
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly versionId: string | undefined
  readonly cacheControl: string | undefined
  readonly contentEncoding: string | undefined
}

/** What is different from vendor to vendor. */
export interface Vendor {
  /** Rejects with the SDK's own error, which `answerOf` reads; it may hold secrets and goes no further. */
  fetch(
    key: BucketKey,
    options: { signal: AbortSignal; known: Validators | undefined },
  ): Promise<FetchedObject>
  answerOf(error: unknown): BucketAnswer
  close(): void
}

/** A source of one bucket, whoever keeps it. */
export interface BucketSource extends Source {
  readonly name: string
}

/** Gives a vendor's bucket the manners of a source: references, budgets of time and bytes, errors without secrets. */
export function createBucketSource(
  settings: BucketSettings,
  { telemetry = silentTelemetry, timeouts = {} }: BucketSourceOptions,
  vendor: Vendor,
): BucketSource {
  const budgets = { ...BUCKET_TIMEOUTS, ...timeouts }
  const parse = (ref: string): BucketKey => {
    try {
      return readKey(ref, settings)
    } catch (error) {
      if ((error as SluiceError).code === 'source-forbidden')
        telemetry.count('sluice_source_denials_total', { reason: 'key' })
      throw error
    }
  }
  return {
    kind: settings.kind,
    name: settings.name,
    remote: true,
    claims: (ref) => meansBucket(ref, settings),
    canonical: (ref) => canonicalRef(readKey(ref, settings), settings),
    async open(ref, { signal, maxBytes, known }) {
      signal.throwIfAborted()
      const key = parse(ref)
      const started = performance.now()
      try {
        const limitMs = Math.min(budgets.connectMs + budgets.firstByteMs, budgets.totalMs)
        const found = await fetchInTime(vendor, { bucket: settings.bucket, key, known, limitMs, signal })
        if ('notModified' in found) return found
        const remainingMs = budgets.totalMs - (performance.now() - started)
        return await openFound(found, {
          key,
          maxBytes,
          telemetry,
          budgets: { ...budgets, totalMs: remainingMs },
        })
      } catch (error) {
        const told = signal.aborted ? signal.reason : error
        throw report(telemetry, told)
      }
    },
    async close() {
      vendor.close()
    },
  }
}

interface FetchInTimeOptions {
  readonly bucket: string
  readonly key: BucketKey
  readonly known: Validators | undefined
  readonly limitMs: number
  readonly signal: AbortSignal
}

/** The answer, or an error that nothing secret is in. */
async function fetchInTime(
  vendor: Vendor,
  { bucket, key, known, limitMs, signal }: FetchInTimeOptions,
): Promise<FetchedObject | NotModified> {
  // SDKs hold on to the signal while the body comes, which has budgets of its own: this one is let go before that.
  const stop = new AbortController()
  const leave = () => stop.abort(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  const late = new SluiceError('origin-timeout', 'Cannot fetch this source: the bucket does not answer', {
    internal: `bucket "${bucket}" gave no answer within ${Math.round(limitMs)} ms`,
  })
  const timer = setTimeout(() => stop.abort(late), limitMs)
  const fetched = vendor.fetch(key, { signal: stop.signal, known })
  const versioned = key.versionId !== undefined
  try {
    return await Promise.race([fetched, rejected(stop.signal)])
  } catch (error) {
    // It may arrive after all: its connection must not stay open.
    fetched.then(({ body }) => body.on('error', () => {}).destroy()).catch(() => {})
    stop.signal.throwIfAborted()
    if (error instanceof SluiceError) throw error
    const answer = vendor.answerOf(error)
    if (answer.status === 304)
      return { notModified: true, freshness: freshnessOf(answer.cacheControl, versioned) }
    throw bucketError(answer, { bucket, versioned })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}

interface OpenFoundOptions {
  readonly key: BucketKey
  readonly maxBytes: OpenSourceOptions['maxBytes']
  readonly budgets: BucketTimeouts
  readonly telemetry: Telemetry
}

async function openFound(
  found: FetchedObject,
  { key, maxBytes, budgets, telemetry }: OpenFoundOptions,
): Promise<OpenedSource> {
  const { body, bytes, modified, etag, lastModified, versionId, cacheControl, contentEncoding } = found
  // Without a listener an error that comes while nobody reads would end the process.
  body.on('error', () => {})
  try {
    // `aws-chunked` is what some servers keep of the way the object was uploaded; the bytes are plain.
    if (!/^(?:identity|aws-chunked)?,?$/i.test(contentEncoding ?? ''))
      throw new SluiceError('origin-failed', 'Cannot fetch this source: it is stored compressed', {
        internal: 'the object has a Content-Encoding',
      })
    if (bytes !== undefined && bytes > maxBytes) throw tooLarge(bytes, maxBytes)
  } catch (error) {
    body.destroy()
    throw error
  }
  return {
    identity: undefined,
    bytes,
    modified,
    validators: {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
      ...(versionId === undefined ? {} : { versionId }),
    },
    freshness: freshnessOf(cacheControl, key.versionId !== undefined),
    async *read(signal) {
      try {
        yield* readBucketBody(body, { announced: bytes, maxBytes, tooLarge, signal, ...budgets })
      } catch (error) {
        throw report(telemetry, error)
      }
    },
    async close() {
      body.destroy()
    },
  }
}

function tooLarge(actual: number, maxBytes: number): SluiceError {
  return LimitError.source('bytes', actual, maxBytes, 'SLUICE_MAX_SOURCE_BYTES')
}

/** Counts what is the bucket's fault. */
function report(telemetry: Telemetry, error: unknown): unknown {
  if (error instanceof SluiceError && /^origin-/.test(error.code))
    telemetry.count('sluice_origin_failures_total', { reason: error.code.slice('origin-'.length) })
  return error
}

/** Rejects when the signal fires; never resolves. */
function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
