import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Storage } from '@google-cloud/storage'
import { SluiceError } from '../errors/index.ts'
import type { BucketAnswer } from './bucket-error.ts'
import {
  type BucketSourceOptions,
  createBucketSource,
  type FetchedObject,
  type Vendor,
} from './bucket-source.ts'
import type { GcsBucketSettings } from './buckets.ts'
import type { Source, Validators } from './define.ts'
import { requireSdk } from './load-sdk.ts'

const MAX_SOCKETS = 64
const MAX_ERROR_BYTES = 16 * 1024

/**
 * A bucket of Google Cloud Storage: `photos:123.jpg`, `gs://bucket/123.jpg`, `…?generation=…`. Without a key file the
 * SDK looks for credentials where it always does; with an endpoint of one's own and no key file none are sent.
 *
 * @throws {SluiceError} `config-invalid` when the SDK is not installed, or the key file cannot be read.
 */
export function createGcsSource(settings: GcsBucketSettings, options: BucketSourceOptions = {}): Source {
  requireSdk('@google-cloud/storage', `The bucket "${settings.name}"`)
  const account = settings.keyFile === undefined ? undefined : readAccount(settings.name, settings.keyFile)
  return createBucketSource(settings, options, createVendor(settings, account))
}

type Account = NonNullable<Storage['authClient']['jsonContent']>

function readAccount(name: string, path: string): Account {
  const variable = `SLUICE_GCS_${name.toUpperCase().replaceAll('-', '_')}_KEY_FILE`
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // Never the message of the parser: it quotes the text, and that is a key.
    const reason = (error as NodeJS.ErrnoException).code ?? 'it holds no JSON'
    throw new SluiceError('config-invalid', `${variable}: cannot read "${path}": ${reason}`)
  }
  if (parsed === null || typeof parsed !== 'object' || !('type' in parsed))
    throw new SluiceError(
      'config-invalid',
      `${variable}: "${path}" is no key file, expected one with a "type"`,
    )
  return parsed as Account
}

/** What the service said, without the bytes. */
class Refused extends Error {
  readonly answer: BucketAnswer
  constructor(answer: BucketAnswer) {
    super('refused')
    this.answer = answer
  }
}

function createVendor({ bucket, endpoint }: GcsBucketSettings, account: Account | undefined): Vendor {
  const Agent = endpoint?.startsWith('http:') ? HttpAgent : HttpsAgent
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  let loaded: Promise<Storage> | undefined
  const load = async (): Promise<Storage> => {
    const { Storage } = await import('@google-cloud/storage')
    const storage = new Storage(endpoint === undefined ? {} : { apiEndpoint: endpoint })
    // What the option `credentials` does, without its warning on the console, which is for files of strangers.
    if (account !== undefined) storage.authClient.jsonContent = account
    return storage
  }
  return {
    async fetch({ key, versionId }, { signal, known }) {
      loaded ??= load()
      const storage = await loaded
      // `File.createReadStream` knows no conditional request: this is the request that it makes, with the SDK's
      // credentials and a condition. It follows no redirect.
      const url = new URL(`${storage.baseUrl}/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(key)}`)
      url.searchParams.set('alt', 'media')
      if (versionId !== undefined) url.searchParams.set('generation', versionId)
      const anonymous = endpoint !== undefined && account === undefined
      const headers = {
        ...(anonymous ? {} : Object.fromEntries(await storage.authClient.getRequestHeaders(url.href))),
        'accept-encoding': 'identity',
        ...conditionsOf(known),
      }
      const answer = await get(url, { agent, headers, signal })
      if (answer.statusCode !== 200) throw new Refused(await refusalOf(answer))
      return readHeaders(answer)
    },
    answerOf(error) {
      if (error instanceof Refused) return error.answer
      const { code, cause, status } = error as { code?: string; status?: number; cause?: { code?: string } }
      return { status, code: code ?? cause?.code }
    },
    close: () => agent.destroy(),
  }
}

type GetOptions = Required<Pick<RequestOptions, 'agent' | 'headers' | 'signal'>>

async function get(url: URL, options: GetOptions, again = true): Promise<IncomingMessage> {
  const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options)
  request.end()
  try {
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    return answer
  } catch (error) {
    // The other side may close a kept connection at the moment it is used again.
    if (again && request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET')
      return get(url, options, false)
    throw error
  }
}

function conditionsOf(known: Validators | undefined): Record<string, string> {
  if (known?.etag !== undefined) return { 'if-none-match': known.etag }
  return known?.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }
}

function readHeaders(answer: IncomingMessage): FetchedObject {
  const { headers } = answer
  const generation = headers['x-goog-generation']
  return {
    body: answer,
    // None where the service unpacks what is stored compressed.
    bytes: headers['content-length'] === undefined ? undefined : Number(headers['content-length']),
    modified: headers['last-modified'] === undefined ? undefined : new Date(headers['last-modified']),
    etag: headers.etag,
    lastModified: headers['last-modified'],
    versionId: typeof generation === 'string' ? generation : undefined,
    cacheControl: headers['cache-control'],
    contentEncoding: headers['content-encoding'],
  }
}

/** An error's body is a few lines; all that is read of it is whether the bucket itself is missing. */
async function refusalOf(answer: IncomingMessage): Promise<BucketAnswer> {
  let text = ''
  try {
    for await (const chunk of answer) {
      text += String(chunk)
      if (text.length > MAX_ERROR_BYTES) break
    }
  } catch {
    // The status alone has to do.
  }
  const { statusCode: status, headers } = answer
  const cacheControl = headers['cache-control']
  const code = status === 404 && /specified bucket does not exist/i.test(text) ? 'NoSuchBucket' : undefined
  return { status, code, ...(cacheControl === undefined ? {} : { cacheControl }) }
}
