import { SluiceError } from '../errors/index.ts'

/** What a bucket answered instead of an object. */
export interface BucketAnswer {
  /** HTTP status; none when nobody answered. */
  readonly status: number | undefined
  /** The vendor's own word, such as `NoSuchKey` or `ECONNREFUSED`. */
  readonly code: string | undefined
  /** Of a 304. */
  readonly cacheControl?: string
}

/** The bucket itself is missing: a wrong setting, not a missing image. */
const NO_BUCKET = ['NoSuchBucket', 'ContainerNotFound', 'InvalidBucketName', 'AccountNotFound']

/**
 * The error of Sluice for an answer of a bucket.
 *
 * Neither message nor cause of the SDK's error is taken along: they quote requests, and with them signatures, tokens
 * and key ids.
 */
export function bucketError(
  { status, code }: BucketAnswer,
  { bucket, versioned }: { readonly bucket: string; readonly versioned: boolean },
): SluiceError {
  const word = code !== undefined && /^[\w.-]{1,64}$/.test(code) ? code : 'no code'
  const state = status === undefined ? `is not to be reached (${word})` : `answered ${status} (${word})`
  const internal = `bucket "${bucket}" ${state}${hintOf(status, word)}`
  const missing = status === 404 && !NO_BUCKET.includes(word)
  // A deleted version is 405 at S3, one that never was 400.
  const noVersion = versioned && (status === 400 || status === 405)
  if (missing || noVersion)
    return new SluiceError('source-not-found', 'Cannot find this source', { internal })
  if (status === 401 || status === 403)
    return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', { internal })
  if (status === 429 || status === 503)
    return new SluiceError('origin-busy', 'Cannot fetch this source: its bucket is busy', {
      internal,
      retryAfterSeconds: 2,
    })
  if (status === 408 || word === 'TimeoutError' || word === 'ETIMEDOUT')
    return new SluiceError('origin-timeout', 'Cannot fetch this source: the bucket does not answer', {
      internal,
    })
  return new SluiceError('origin-failed', 'Cannot fetch this source: its bucket answered with an error', {
    internal,
  })
}

function hintOf(status: number | undefined, word: string): string {
  if (NO_BUCKET.includes(word)) return ': check the name of the bucket'
  if (status !== undefined && status >= 300 && status < 400) return ': check endpoint and region'
  if (word === 'AccessDenied')
    return ': check the rights; a missing key answers so too where listing is not allowed'
  if (word === 'CredentialsProviderError') return ': no credentials were found'
  return ''
}
