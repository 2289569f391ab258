import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../errors/index.ts'
import { silentTelemetry } from '../telemetry/index.ts'
import { readBucketBody } from './bucket-body.ts'
import { bucketError } from './bucket-error.ts'
import { type BucketSettings, type GcsBucketSettings, readBuckets, type S3BucketSettings } from './buckets.ts'
import type { Source } from './define.ts'
import { createGcsSource } from './gcs.ts'
import { createS3Source } from './s3.ts'

const anyTime = () => ({ signal: new AbortController().signal, maxBytes: 1000 })
const tooLarge = () => new SluiceError('source-too-large', 'Too large')

describe('createS3Source() before a server that misbehaves', () => {
  let answer: (response: ServerResponse) => void = () => {}
  const requests: { url: string; headers: NodeJS.Dict<string | string[]> }[] = []
  const counted: string[] = []
  const server = createServer(({ url = '', headers }, response) => {
    requests.push({ url, headers })
    answer(response)
  })
  let source: Source
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const [settings] = readBuckets({
      SLUICE_S3_A_BUCKET: 'shop',
      SLUICE_S3_A_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      SLUICE_S3_A_ACCESS_KEY_ID: 'id',
      SLUICE_S3_A_SECRET_ACCESS_KEY: 'secret',
    })
    const telemetry = {
      ...silentTelemetry,
      count: (name: string, labels: object = {}) => void counted.push(`${name} ${JSON.stringify(labels)}`),
    }
    source = createS3Source(settings as S3BucketSettings, {
      telemetry,
      timeouts: { connectMs: 500, firstByteMs: 700, idleMs: 500 },
    })
  })
  beforeEach(() => {
    requests.length = 0
    counted.length = 0
  })
  afterAll(async () => {
    await source.close?.()
    server.closeAllConnections()
    server.close()
  })

  const refuse = (status: number, code: string, message = 'id and secret') => {
    answer = (response) => {
      response.writeHead(status, { 'content-type': 'application/xml' })
      response.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`)
    }
  }

  test.for([
    [403, 'AccessDenied', 'source-forbidden', 1],
    [404, 'NoSuchKey', 'source-not-found', 1],
    [404, 'NoSuchBucket', 'origin-failed', 1],
    [301, 'PermanentRedirect', 'origin-failed', 1],
    [500, 'InternalError', 'origin-failed', 2],
    [503, 'SlowDown', 'origin-busy', 2],
  ] as const)('answers %s %s with %s after %s tries at most', async ([status, code, expected, tries]) => {
    refuse(status, code)
    const error = await source.open('a:x.jpg', anyTime()).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: expected, internal: expect.stringContaining(`${status} (${code})`) })
    expect(JSON.stringify(error) + String(error)).not.toContain('secret')
    expect((error as Error).cause).toBeUndefined()
    expect(requests).toHaveLength(tries)
  })

  test('asks for the version in the reference, and takes its absence for a missing image', async () => {
    refuse(405, 'MethodNotAllowed')
    const open = source.open('s3://shop/x.jpg?versionId=v.1', anyTime())
    await expect(open).rejects.toMatchObject({ code: 'source-not-found' })
    expect(requests[0]?.url).toContain('versionId=v.1')
  })

  test('keeps a version for ever', async () => {
    answer = (response) => response.writeHead(200, { 'x-amz-version-id': 'v.1', etag: '"e"' }).end('bytes')
    const opened = await source.open('a:x.jpg?versionId=v.1', anyTime())
    expect(opened).toMatchObject({
      validators: { etag: '"e"', versionId: 'v.1' },
      freshness: { maxAgeSeconds: 31_536_000, storable: true },
    })
    if (!('notModified' in opened)) await opened.close()
  })

  test('sends the ETag it knows, and no date beside it', async () => {
    answer = (response) => response.writeHead(304, { 'cache-control': 'max-age=7' }).end()
    const known = { etag: '"e"', lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' }
    expect(await source.open('a:x.jpg', { ...anyTime(), known })).toEqual({
      notModified: true,
      freshness: { maxAgeSeconds: 7, storable: true },
    })
    expect(requests[0]?.headers).toMatchObject({ 'if-none-match': '"e"' })
    expect(requests[0]?.headers).not.toHaveProperty('if-modified-since')
  })

  test('refuses a body that announces too much, before it is read', async () => {
    answer = (response) => void response.writeHead(200, { 'content-length': 5000 }).flushHeaders()
    await expect(source.open('a:x.jpg', anyTime())).rejects.toMatchObject({ code: 'source-too-large' })
  })

  test('refuses a body that is compressed', async () => {
    answer = (response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x')
    await expect(source.open('a:x.jpg', anyTime())).rejects.toMatchObject({ code: 'origin-failed' })
  })

  test('lets a body take longer than the first byte may', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': 6 }).flushHeaders()
      for (let at = 0; at < 6; at++)
        setTimeout(() => (at < 5 ? response.write('x') : response.end('x')), at * 280)
    }
    const opened = await source.open('a:x.jpg', anyTime())
    if ('notModified' in opened) throw new Error('not modified')
    let bytes = 0
    for await (const chunk of opened.read(anyTime().signal)) bytes += chunk.byteLength
    expect(bytes).toBe(6)
  })

  test('counts what the bucket did wrong, and keys that are refused', async () => {
    refuse(500, 'InternalError')
    await source.open('a:x.jpg', anyTime()).catch(() => {})
    await source.open('a:../x.jpg', anyTime()).catch(() => {})
    await source.open('a:', anyTime()).catch(() => {})
    expect(counted).toEqual([
      'sluice_origin_failures_total {"reason":"failed"}',
      'sluice_source_denials_total {"reason":"key"}',
    ])
  })
})

describe('a role', () => {
  test('needs a package that says how to get it', () => {
    const [settings] = readBuckets({
      SLUICE_S3_A_BUCKET: 'shop',
      SLUICE_S3_A_ROLE: 'arn:aws:iam::123456789012:role/images',
    })
    expect(() => createS3Source(settings as BucketSettings & S3BucketSettings)).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: expect.stringContaining('npm install @aws-sdk/credential-providers'),
      }),
    )
  })
})

describe('a key file', () => {
  test('is named, and never quoted, when it is none', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'sluice-key-')), 'key.json')
    const create = () =>
      createGcsSource(
        readBuckets({ SLUICE_GCS_A_BUCKET: 'x', SLUICE_GCS_A_KEY_FILE: path })[0] as GcsBucketSettings,
      )
    const refused = (text: string) =>
      expect.objectContaining({
        code: 'config-invalid',
        message: `SLUICE_GCS_A_KEY_FILE: ${text}`,
      })
    expect(create).toThrow(refused(`cannot read "${path}": ENOENT`))
    await writeFile(path, '{"type": "service_account", "private_key": hunter2')
    expect(create).toThrow(refused(`cannot read "${path}": it holds no JSON`))
    await writeFile(path, '[]')
    expect(create).toThrow(refused(`"${path}" is no key file, expected one with a "type"`))
    await rm(dirname(path), { recursive: true })
  })
})

describe('bucketError()', () => {
  test('takes no odd word of a server into the log', () => {
    const { internal } = bucketError({ status: 500, code: 'a\nb' }, { bucket: 'shop', versioned: false })
    expect(internal).toBe('bucket "shop" answered 500 (no code)')
  })
})

describe('readBucketBody()', () => {
  const budgets = { maxBytes: 1000, idleMs: 100, totalMs: 250, tooLarge }
  const read = async (body: Readable, announced?: number, signal = anyTime().signal) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of readBucketBody(body, { ...budgets, announced, signal })) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  test.for([
    ['is shorter than announced', 6, 'origin-failed'],
    ['is longer than announced', 4, 'origin-failed'],
  ] as const)('refuses a body that %s', async ([, announced, code]) => {
    const body = Readable.from([Buffer.from('ab'), Buffer.from('cde')])
    await expect(read(body, announced)).rejects.toMatchObject({ code })
    expect(body.destroyed).toBe(true)
  })

  test('counts bytes that nobody announced', async () => {
    const body = Readable.from([Buffer.alloc(600), Buffer.alloc(600)])
    await expect(read(body)).rejects.toMatchObject({ code: 'source-too-large' })
  })

  test('has one budget of time for all waiting, which a slow reader does not use up', async () => {
    const drip = async function* () {
      for (let left = 10; left > 0; left--) {
        await new Promise((resolve) => setTimeout(resolve, 60))
        yield Buffer.from('x')
      }
    }
    await expect(read(Readable.from(drip()))).rejects.toMatchObject({ code: 'origin-timeout' })
    const quick = Readable.from([Buffer.from('a'), Buffer.from('b'), Buffer.from('c')])
    const options = { ...budgets, announced: 3, signal: anyTime().signal }
    for await (const _ of readBucketBody(quick, options))
      await new Promise((resolve) => setTimeout(resolve, 120))
  })
})
