import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import type { ContainerClient, RequestPolicyFactory } from '@azure/storage-blob'
import type { BucketAnswer } from './bucket-error.ts'
import { type BucketSourceOptions, createBucketSource, type Vendor } from './bucket-source.ts'
import type { AzureBucketSettings } from './buckets.ts'
import type { Source } from './define.ts'
import { requireSdk } from './load-sdk.ts'

const MAX_SOCKETS = 64

/**
 * A container of Azure Blob Storage: `photos:123.jpg`, `az://container/123.jpg`, `…?versionId=…`. With an account key,
 * a shared access signature, or neither for a container that everyone may read.
 *
 * @throws {SluiceError} `config-invalid` when the SDK is not installed.
 */
export function createAzureSource(settings: AzureBucketSettings, options: BucketSourceOptions = {}): Source {
  requireSdk('@azure/storage-blob', `The container "${settings.name}"`)
  return createBucketSource(settings, options, createVendor(settings))
}

function createVendor(settings: AzureBucketSettings): Vendor {
  const Agent = settings.endpoint.startsWith('https:') ? HttpsAgent : HttpAgent
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  let loaded: Promise<ContainerClient> | undefined
  return {
    async fetch({ key, versionId }, { signal, known }) {
      loaded ??= load(settings, agent)
      const container = await loaded
      const blob = container.getBlobClient(key)
      const date = Date.parse(known?.lastModified ?? '')
      const found = await (versionId === undefined ? blob : blob.withVersion(versionId)).download(
        0,
        undefined,
        {
          abortSignal: signal,
          // The SDK would fetch the rest of a body that broke off; what broke off is an error here.
          maxRetryRequests: 0,
          conditions: {
            ...(known?.etag === undefined ? {} : { ifNoneMatch: known.etag }),
            ...(known?.etag !== undefined || Number.isNaN(date) ? {} : { ifModifiedSince: new Date(date) }),
          },
        },
      )
      return {
        body: found.readableStreamBody as Readable,
        bytes: found.contentLength,
        modified: found.lastModified,
        etag: found.etag,
        lastModified: found.lastModified?.toUTCString(),
        versionId: found.versionId,
        cacheControl: found.cacheControl,
        contentEncoding: found.contentEncoding,
      }
    },
    answerOf,
    close: () => agent.destroy(),
  }
}

async function load(
  { endpoint, bucket, account, key, sas }: AzureBucketSettings,
  agent: HttpAgent | HttpsAgent,
): Promise<ContainerClient> {
  const { AnonymousCredential, ContainerClient, newPipeline, StorageSharedKeyCredential } = await import(
    '@azure/storage-blob'
  )
  const credential =
    key === undefined || account === undefined
      ? new AnonymousCredential()
      : new StorageSharedKeyCredential(account, key)
  const options = {
    // The first try and one more.
    retryOptions: { maxTries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 200 },
    // Handed on to the layer below, though the types do not say so: a signed request goes where it was meant to go.
    redirectOptions: { maxRetries: 0 },
  }
  const pipeline = newPipeline(credential, options)
  // The SDK keeps its connections to itself; with an agent of our own they end with the source.
  const withAgent: RequestPolicyFactory = {
    create: (next) => ({
      sendRequest: (request) => next.sendRequest(Object.assign(request, { agent })),
    }),
  }
  pipeline.factories.push(withAgent)
  const query = sas === undefined ? '' : `?${sas}`
  return new ContainerClient(`${endpoint}/${bucket}${query}`, pipeline)
}

function answerOf(error: unknown): BucketAnswer {
  const { name, code, statusCode, response } = error as {
    name?: string
    code?: string
    statusCode?: number
    response?: { headers?: { get(name: string): string | undefined } }
  }
  const cacheControl = response?.headers?.get('cache-control')
  return { status: statusCode, code: code ?? name, ...(cacheControl === undefined ? {} : { cacheControl }) }
}
