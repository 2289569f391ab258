import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/errors/index.ts'
import { createAzureSource } from '../../src/sources/azure.ts'
import { type BucketSettings, readBuckets } from '../../src/sources/buckets.ts'
import { createFilesystemSource } from '../../src/sources/filesystem.ts'
import { createGcsSource } from '../../src/sources/gcs.ts'
import type { OpenedSource, Source, Validators } from '../../src/sources/index.ts'
import { createS3Source } from '../../src/sources/s3.ts'
import {
  AZURITE_ACCOUNT,
  AZURITE_KEY,
  haveBucketServers,
  S3_KEY_PAIR,
  startAzureServer,
  startS3Server,
} from '../helpers/bucket-servers.ts'
import { startFaultProxy } from '../helpers/fault-proxy.ts'
import { type GcsServer, startGcsServer } from '../helpers/gcs-server.ts'
import { describeSource, type SourceUnderTest } from './source.ts'

const timeouts = { connectMs: 500, firstByteMs: 1000, idleMs: 500 }
const WRONG = 'c2VjcmV0LXRoYXQtbXVzdC1uZXZlci1iZS1zZWVu'

function createFrom(env: Readonly<Record<string, string>>): Source {
  const [settings] = readBuckets(env)
  return create(settings as BucketSettings)
}

function create(settings: BucketSettings): Source {
  switch (settings.kind) {
    case 's3':
      return createS3Source(settings, { timeouts })
    case 'gs':
      return createGcsSource(settings, { timeouts })
    case 'az':
      return createAzureSource(settings, { timeouts })
  }
}

function s3Env(port: number, over: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    SLUICE_S3_PRODUCTS_BUCKET: 'shop-products',
    SLUICE_S3_PRODUCTS_ENDPOINT: `http://127.0.0.1:${port}`,
    SLUICE_S3_PRODUCTS_ACCESS_KEY_ID: S3_KEY_PAIR.accessKeyId,
    SLUICE_S3_PRODUCTS_SECRET_ACCESS_KEY: S3_KEY_PAIR.secretAccessKey,
    ...over,
  }
}

function azureEnv(port: number, over: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    SLUICE_AZURE_PHOTOS_CONTAINER: 'photos-2026',
    SLUICE_AZURE_PHOTOS_ENDPOINT: `http://127.0.0.1:${port}/${AZURITE_ACCOUNT}`,
    SLUICE_AZURE_PHOTOS_KEY: AZURITE_KEY,
    ...over,
  }
}

async function setUpS3(): Promise<SourceUnderTest & { readonly serverPort: number }> {
  const server = await startS3Server('shop-products')
  const wire = await startFaultProxy(server.port)
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: S3_KEY_PAIR,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  const wrong = { SLUICE_S3_PRODUCTS_SECRET_ACCESS_KEY: WRONG }
  return {
    source: createFrom(s3Env(wire.port)),
    ref: (key) => `products:${key}`,
    put: async (key, bytes) => {
      await client.send(new PutObjectCommand({ Bucket: 'shop-products', Key: key, Body: bytes }))
    },
    forbidden: { source: createFrom(s3Env(server.port, wrong)), ref: 'products:small.bin' },
    wire,
    serverPort: server.port,
    async close() {
      client.destroy()
      await wire.close()
      await server.close()
    },
  }
}

async function setUpAzure(): Promise<SourceUnderTest & { readonly serverPort: number }> {
  const server = await startAzureServer()
  const wire = await startFaultProxy(server.port)
  const account = new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY)
  const service = new BlobServiceClient(`http://127.0.0.1:${server.port}/${AZURITE_ACCOUNT}`, account)
  const container = service.getContainerClient('photos-2026')
  await container.create()
  return {
    source: createFrom(azureEnv(wire.port)),
    ref: (key) => `az://photos-2026/${key}`,
    put: async (key, bytes) => {
      await container.getBlockBlobClient(key).uploadData(Buffer.from(bytes))
    },
    forbidden: {
      source: createFrom(azureEnv(server.port, { SLUICE_AZURE_PHOTOS_KEY: WRONG })),
      ref: 'photos:small.bin',
    },
    wire,
    serverPort: server.port,
    async close() {
      await wire.close()
      await server.close()
    },
  }
}

async function setUpGcs(): Promise<
  SourceUnderTest & { readonly server: GcsServer; readonly env: Record<string, string> }
> {
  const server = await startGcsServer('press')
  const wire = await startFaultProxy(server.port)
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gcs-'))
  const keyFile = join(folder, 'key.json')
  await writeFile(keyFile, server.keyFile)
  const env = {
    SLUICE_GCS_PRESS_BUCKET: 'press',
    SLUICE_GCS_PRESS_ENDPOINT: `http://127.0.0.1:${wire.port}`,
    SLUICE_GCS_PRESS_KEY_FILE: keyFile,
  }
  return {
    source: createFrom(env),
    ref: (key) => `gs://press/${key}`,
    put: async (key, bytes) => {
      server.put(key, bytes)
    },
    // Without a key file nothing is signed.
    forbidden: {
      source: createFrom({
        ...env,
        SLUICE_GCS_PRESS_ENDPOINT: `http://127.0.0.1:${server.port}`,
        SLUICE_GCS_PRESS_KEY_FILE: '',
      }),
      ref: 'press:small.bin',
    },
    wire,
    server,
    env,
    async close() {
      await wire.close()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function setUpFiles(): Promise<SourceUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-files-'))
  const source = createFilesystemSource({ root, roots: { archive: root } })
  return {
    source,
    ref: (key) => `archive:${key}`,
    async put(key, bytes) {
      await mkdir(dirname(join(root, key)), { recursive: true })
      await writeFile(join(root, key), bytes)
    },
    forbidden: { source, ref: 'archive:../etc/passwd' },
    close: () => rm(root, { recursive: true, force: true }),
  }
}

describeSource('files', setUpFiles, { remote: false })
describeSource('gs', setUpGcs, { remote: true })

describe('gs versions', () => {
  let under: Awaited<ReturnType<typeof setUpGcs>>
  beforeAll(async () => {
    under = await setUpGcs()
  })
  afterAll(async () => {
    await under?.source.close?.()
    await under?.forbidden.source.close?.()
    await under?.close()
  })

  test('reads the generation that is asked for, and keeps it for a year', async () => {
    const first = under.server.put('a.bin', Buffer.from('first'), { 'cache-control': 'max-age=60' })
    under.server.put('a.bin', Buffer.from('second'), { 'cache-control': 'max-age=60' })
    const latest = await openFrom(under.source, 'press:a.bin')
    expect(await textOf(latest)).toBe('second')
    expect(latest.freshness).toEqual({ maxAgeSeconds: 60, storable: true })
    const old = await openFrom(under.source, `press:a.bin?generation=${first}`)
    expect(await textOf(old)).toBe('first')
    expect(old.validators?.versionId).toBe(first)
    expect(old.freshness).toEqual({ maxAgeSeconds: 31_536_000, storable: true })
    await expect(openFrom(under.source, 'press:a.bin?versionId=17')).rejects.toMatchObject({
      code: 'source-not-found',
    })
  })

  test('refuses what is stored compressed', async () => {
    under.server.put('packed.bin', Buffer.from('x'), { 'content-encoding': 'gzip' })
    await expect(openFrom(under.source, 'press:packed.bin')).rejects.toMatchObject({ code: 'origin-failed' })
  })

  test('calls a missing bucket a failure, not a missing image', async () => {
    const source = createFrom({ ...under.env, SLUICE_GCS_PRESS_BUCKET: 'gone' })
    await expect(openFrom(source, 'press:a.bin')).rejects.toMatchObject({
      code: 'origin-failed',
      internal: expect.stringContaining('check the name of the bucket'),
    })
    await source.close?.()
  })
})

// Their servers are heavy and have packages of their own: `npm test` installs them.
describe.skipIf(!haveBucketServers)('real servers', () => {
  describeSource('s3', setUpS3, { remote: true })
  describeSource('az', setUpAzure, { remote: true })

  describe('createS3Source()', () => {
    let under: Awaited<ReturnType<typeof setUpS3>>
    beforeAll(async () => {
      under = await setUpS3()
      await under.put('public/a.bin', Buffer.from('public'))
      await under.put('private/a.bin', Buffer.from('private'))
    })
    afterAll(async () => {
      await under?.source.close?.()
      await under?.forbidden.source.close?.()
      await under?.close()
    })

    test('[S-16] reads the same object by name and by bucket, and no other bucket', async () => {
      expect(await textOf(await openFrom(under.source, 'products:public/a.bin'))).toBe('public')
      expect(await textOf(await openFrom(under.source, 's3://shop-products/public/a.bin'))).toBe('public')
      expect(under.source.canonical('products:public/a.bin')).toBe('s3://shop-products/public/a.bin')
      expect(under.source.claims('s3://shop-products-2/public/a.bin')).toBe(false)
      expect(under.source.claims('s3://other/public/a.bin')).toBe(false)
    })

    test('[S-16] serves only what lies below its prefix', async () => {
      const source = createFrom(s3Env(under.serverPort, { SLUICE_S3_PRODUCTS_PREFIX: 'public' }))
      expect(await textOf(await openFrom(source, 'products:public/a.bin'))).toBe('public')
      for (const key of [
        'private/a.bin',
        'publicity/a.bin',
        'public/../private/a.bin',
        'public/..\\private/a.bin',
      ])
        await expect(openFrom(source, `products:${key}`)).rejects.toMatchObject({ code: 'source-forbidden' })
      await source.close?.()
    })

    test('compares dates where no ETag is known', async () => {
      const { validators } = await openFrom(under.source, 'products:public/a.bin')
      const known = { lastModified: validators?.lastModified as string }
      expect(await under.source.open('products:public/a.bin', { ...anyTime(), known })).toMatchObject({
        notModified: true,
      })
    })

    test('calls a missing bucket a failure, not a missing image', async () => {
      const source = createFrom(s3Env(under.serverPort, { SLUICE_S3_PRODUCTS_BUCKET: 'not-there' }))
      await expect(openFrom(source, 'products:a.bin')).rejects.toMatchObject({
        code: 'origin-failed',
        internal: expect.stringContaining('NoSuchBucket'),
      })
      await source.close?.()
    })

    test('never lets a secret into an error', async () => {
      const error = await openFrom(under.forbidden.source, 'products:small.bin').catch(
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(SluiceError)
      const { message, internal, cause, facts } = error as SluiceError
      const text = JSON.stringify({ message, internal, facts })
      expect(internal).toBe('bucket "shop-products" answered 403 (SignatureDoesNotMatch)')
      expect(cause).toBeUndefined()
      expect(text).not.toContain(WRONG)
      expect(text).not.toContain(S3_KEY_PAIR.accessKeyId)
    })

    test('says that nobody answers where nobody listens', async () => {
      const source = createFrom(s3Env(1))
      await expect(openFrom(source, 'products:a.bin')).rejects.toMatchObject({
        code: 'origin-failed',
        internal: 'bucket "shop-products" is not to be reached (ECONNREFUSED)',
      })
      await source.close?.()
    })
  })

  describe('createAzureSource()', () => {
    let under: Awaited<ReturnType<typeof setUpAzure>>
    beforeAll(async () => {
      under = await setUpAzure()
      await under.put('a.bin', Buffer.from('blob'))
    })
    afterAll(async () => {
      await under?.source.close?.()
      await under?.forbidden.source.close?.()
      await under?.close()
    })

    test('reads with a shared access signature, and keeps a wrong one to itself', async () => {
      const sas = generateBlobSASQueryParameters(
        {
          containerName: 'photos-2026',
          permissions: ContainerSASPermissions.parse('r'),
          expiresOn: new Date(Date.now() + 60_000),
        },
        new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY),
      ).toString()
      const { SLUICE_AZURE_PHOTOS_KEY: _, ...env } = azureEnv(under.serverPort)
      const source = createFrom({ ...env, SLUICE_AZURE_PHOTOS_SAS: `?${sas}` })
      expect(await textOf(await openFrom(source, 'photos:a.bin'))).toBe('blob')
      const wrong = createFrom({ ...env, SLUICE_AZURE_PHOTOS_SAS: sas.replace(/sig=[^&]+/, `sig=${WRONG}`) })
      const error = (await openFrom(wrong, 'photos:a.bin').catch((reason: unknown) => reason)) as SluiceError
      expect(error.code).toBe('source-forbidden')
      expect(error.internal).not.toContain(WRONG)
      expect(error.cause).toBeUndefined()
      await source.close?.()
      await wrong.close?.()
    })

    test('calls a missing container a failure, not a missing image', async () => {
      const source = createFrom(azureEnv(under.serverPort, { SLUICE_AZURE_PHOTOS_CONTAINER: 'not-there' }))
      await expect(openFrom(source, 'photos:a.bin')).rejects.toMatchObject({
        code: 'origin-failed',
        internal: expect.stringContaining('ContainerNotFound'),
      })
      await source.close?.()
    })
  })
})

function anyTime(): { readonly signal: AbortSignal; readonly maxBytes: number } {
  return { signal: new AbortController().signal, maxBytes: 1_000_000 }
}

async function openFrom(source: Source, ref: string, known?: Validators): Promise<OpenedSource> {
  const opened = await source.open(ref, { ...anyTime(), ...(known === undefined ? {} : { known }) })
  if ('notModified' in opened) throw new Error('not modified')
  return opened
}

async function textOf(opened: OpenedSource): Promise<string> {
  let text = ''
  for await (const chunk of opened.read(anyTime().signal)) text += Buffer.from(chunk).toString()
  await opened.close()
  return text
}
