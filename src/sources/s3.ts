import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import type { GetObjectCommand, S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { SluiceError } from '../errors/index.ts'
import type { BucketAnswer } from './bucket-error.ts'
import {
  BUCKET_TIMEOUTS,
  type BucketSourceOptions,
  createBucketSource,
  type Vendor,
} from './bucket-source.ts'
import type { S3BucketSettings } from './buckets.ts'
import type { Source, Validators } from './define.ts'
import { requireSdk } from './load-sdk.ts'

const ROLES_PACKAGE: string = '@aws-sdk/credential-providers'
const MAX_SOCKETS = 64

/**
 * A bucket of S3 or of a server that speaks its protocol: `products:123.jpg`, `s3://bucket/123.jpg`,
 * `s3://bucket/123.jpg?versionId=…`.
 *
 * @throws {SluiceError} `config-invalid` when the SDK is not installed.
 */
export function createS3Source(settings: S3BucketSettings, options: BucketSourceOptions = {}): Source {
  const bucket = `The bucket "${settings.name}"`
  requireSdk('@aws-sdk/client-s3', bucket)
  if (settings.role !== undefined) requireSdk(ROLES_PACKAGE, `${bucket} with a role`)
  return createBucketSource(settings, options, createVendor(settings, options))
}

interface Loaded {
  readonly client: S3Client
  readonly Get: typeof GetObjectCommand
}

function createVendor(settings: S3BucketSettings, { timeouts }: BucketSourceOptions): Vendor {
  const { connectMs } = { ...BUCKET_TIMEOUTS, ...timeouts }
  const agents = {
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
  }
  let loaded: Promise<Loaded> | undefined
  const load = async (): Promise<Loaded> => {
    const { S3Client, GetObjectCommand } = await import('@aws-sdk/client-s3')
    const client = new S3Client({
      region: settings.region,
      forcePathStyle: settings.pathStyle,
      ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
      ...(await credentialsOf(settings)),
      // The first try and one more.
      maxAttempts: 2,
      requestHandler: { ...agents, connectionTimeout: connectMs },
      // Others than AWS refuse or ignore the newer checksums; lengths and ETags are checked in any case.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      followRegionRedirects: false,
    })
    return { client, Get: GetObjectCommand }
  }
  return {
    async fetch({ key, versionId }, { signal, known }) {
      loaded ??= load()
      const { client, Get } = await loaded.catch((error) => {
        loaded = undefined
        throw error
      })
      const command = new Get({
        Bucket: settings.bucket,
        Key: key,
        ...(versionId === undefined ? {} : { VersionId: versionId }),
        ...conditionsOf(known),
      })
      const found = await client.send(command, { abortSignal: signal })
      return {
        body: found.Body as Readable,
        bytes: found.ContentLength,
        modified: found.LastModified,
        etag: found.ETag,
        lastModified: found.LastModified?.toUTCString(),
        // "null" names the bytes from before versioning: they can be replaced.
        versionId: found.VersionId === 'null' ? undefined : found.VersionId,
        cacheControl: found.CacheControl,
        contentEncoding: found.ContentEncoding,
      }
    },
    answerOf,
    close() {
      agents.httpAgent.destroy()
      agents.httpsAgent.destroy()
    },
  }
}

async function credentialsOf({ credentials, role, region }: S3BucketSettings): Promise<S3ClientConfig> {
  if (role === undefined) return credentials === undefined ? {} : { credentials }
  const { fromTemporaryCredentials } = (await import(ROLES_PACKAGE)) as {
    fromTemporaryCredentials(options: object): NonNullable<S3ClientConfig['credentials']>
  }
  return {
    credentials: fromTemporaryCredentials({
      ...(credentials === undefined ? {} : { masterCredentials: credentials }),
      params: { RoleArn: role, RoleSessionName: 'sluice' },
      clientConfig: { region, maxAttempts: 2 },
    }),
  }
}

function conditionsOf(known: Validators | undefined): { IfNoneMatch?: string; IfModifiedSince?: Date } {
  // RFC 9110 §13.1.3: a date beside an ETag is ignored, so only one of them is sent.
  if (known?.etag !== undefined) return { IfNoneMatch: known.etag }
  const date = Date.parse(known?.lastModified ?? '')
  return Number.isNaN(date) ? {} : { IfModifiedSince: new Date(date) }
}

function answerOf(error: unknown): BucketAnswer {
  if (error instanceof SluiceError) throw error
  const { name, code, $metadata, $response } = error as {
    name?: string
    code?: string
    $metadata?: { httpStatusCode?: number }
    $response?: { headers?: Record<string, string> }
  }
  const cacheControl = $response?.headers?.['cache-control']
  return {
    status: $metadata?.httpStatusCode,
    code: code ?? name,
    ...(cacheControl === undefined ? {} : { cacheControl }),
  }
}
