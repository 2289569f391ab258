import { SluiceError } from '../errors/index.ts'
import type { BucketSettings } from './buckets.ts'

/** An object of a bucket, and the version that was asked for. */
export interface BucketKey {
  readonly key: string
  readonly versionId: string | undefined
}

/** Whether a reference means this bucket: by its name, or by scheme and bucket. */
export function meansBucket(ref: string, { kind, name, bucket, shared }: BucketSettings): boolean {
  return ref.startsWith(`${name}:`) || (!shared && ref.startsWith(`${kind}://${bucket}/`))
}

/**
 * The key of a reference. Keys are taken as they stand, without percent-decoding; `?versionId=` (of Google Cloud also
 * `?generation=`) at the end asks for one version.
 *
 * @throws {SluiceError} `source-forbidden` for a key that another party could read as another one, and outside the
 *   prefix; `source-not-found` for one that no object can have.
 */
export function readKey(ref: string, settings: BucketSettings): BucketKey {
  const { kind, name, bucket, prefix } = settings
  const named = ref.startsWith(`${name}:`)
  const rest = ref.slice(named ? name.length + 1 : `${kind}://${bucket}/`.length)
  const match = /^(.*?)\?(?:versionId|generation)=([^?&#]*)$/s.exec(rest)
  const key = match?.[1] ?? rest
  const versionId = match?.[2]
  if (/\p{Cc}/u.test(key) || !key.isWellFormed()) throw forbidden('the key has control characters')
  if (key.split(/[/\\]/).some((part) => part === '..' || part === '.'))
    throw forbidden('the key has a segment ".." or "."')
  if (versionId !== undefined && !isVersion(kind, versionId)) throw forbidden('the version has no valid form')
  if (!key.startsWith(prefix)) throw forbidden(`the key is not below "${prefix}"`)
  if (key === '' || key.startsWith('/') || key.endsWith('/') || Buffer.byteLength(key) > 1024)
    throw new SluiceError('source-not-found', 'Cannot find this source')
  return { key, versionId }
}

/** One spelling for `products:a.jpg` and `s3://shop-products/a.jpg`. */
export function canonicalRef({ key, versionId }: BucketKey, settings: BucketSettings): string {
  const { kind, name, bucket, shared } = settings
  const version = versionId === undefined ? '' : `?versionId=${versionId}`
  return `${shared ? `${name}:` : `${kind}://${bucket}/`}${key}${version}`
}

function isVersion(kind: BucketSettings['kind'], text: string): boolean {
  return (kind === 'gs' ? /^\d{1,20}$/ : /^[A-Za-z0-9._:~+/=-]{1,1024}$/).test(text)
}

function forbidden(reason: string): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', {
    internal: reason,
  })
}
