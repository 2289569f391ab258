import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BucketServer,
  haveBucketServers,
  S3_KEY_PAIR,
  startS3Server,
} from '../helpers/bucket-servers.ts'
import { type Spawned, spawnServe } from '../helpers/spawn-serve.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, section = ''] = readme.split('## A bucket behind signed URLs')
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const KEY = '5e'.repeat(32)

/** The section of README.md about buckets, taken at its word, with a real S3 server. */
describe.skipIf(!haveBucketServers)('a bucket behind signed URLs', () => {
  let bucket: BucketServer
  let service: Spawned
  let cache: string

  beforeAll(async () => {
    bucket = await startS3Server('my-bucket')
    const endpoint = `http://127.0.0.1:${bucket.port}`
    const client = new S3Client({
      endpoint,
      region: 'eu-central-1',
      forcePathStyle: true,
      credentials: S3_KEY_PAIR,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
    const body = readFileSync(new URL('../../samples/lake.jpg', import.meta.url))
    await client.send(new PutObjectCommand({ Bucket: 'my-bucket', Key: '123.jpg', Body: body }))
    client.destroy()
    cache = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
    service = await spawnServe({
      SLUICE_HOST: '0.0.0.0',
      SLUICE_KEYS: KEY,
      SLUICE_S3_PRODUCTS_BUCKET: 'my-bucket',
      SLUICE_S3_PRODUCTS_REGION: 'eu-central-1',
      SLUICE_S3_PRODUCTS_ENDPOINT: endpoint,
      SLUICE_S3_PRODUCTS_ACCESS_KEY_ID: S3_KEY_PAIR.accessKeyId,
      SLUICE_S3_PRODUCTS_SECRET_ACCESS_KEY: S3_KEY_PAIR.secretAccessKey,
      SLUICE_CACHE_DIR: cache,
      SLUICE_CACHE_MEMORY: '16MB',
    })
  })
  afterAll(async () => {
    await service.stop()
    await bucket.close()
    rmSync(cache, { recursive: true, force: true })
  })

  const sluice = (...args: string[]) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [cli, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, SLUICE_KEYS: KEY },
    })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.trim()
  }
  const local = (url: string) => url.replace(/^http:\/\/[^/]+/, service.url.replace('0.0.0.0', '127.0.0.1'))

  test('sluice sign prints a URL that a browser gets AVIF, WebP or JPEG from', async () => {
    const [, expires = '', url = ''] = /npx sluice sign --expires (\S+) (\S+)/.exec(section) ?? []
    const signed = sluice('sign', '--expires', expires, url)
    expect(signed.startsWith('http://localhost:8080/i/')).toBe(true)
    for (const [accept, format] of [
      ['image/avif,image/webp,*/*', 'avif'],
      ['image/webp,*/*', 'webp'],
      ['*/*', 'jpeg'],
    ] as const) {
      const answer = await fetch(local(signed), { headers: { accept } })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, `image/${format}`])
      expect((await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).width).toBe(800)
    }
    expect((await fetch(local(url))).status).toBe(403)
  })

  test('sluice sign --policy prints the text for any URL within it', async () => {
    const [, json = ''] = /npx sluice sign --policy '([^']+)'/.exec(section) ?? []
    const policy = sluice('sign', '--policy', json)
    const [, path = ''] = /`(\/i\/[^`]+\?p=)…`/.exec(section) ?? []
    expect((await fetch(local(`http://x${path}${policy}`))).status).toBe(200)
    expect((await fetch(local(`http://x/i/w=1601,up=true/products:123.jpg?p=${policy}`))).status).toBe(403)
    expect((await fetch(local(`http://x/i/w=10/lake.jpg?p=${policy}`))).status).toBe(403)
  })

  test('a key that is not there is 404, another bucket is refused', async () => {
    expect((await fetch(local(sluice('sign', 'http://x/i/w=10/products:none.jpg')))).status).toBe(404)
    expect((await fetch(local(sluice('sign', 'http://x/i/w=10/s3://other/123.jpg')))).status).toBe(403)
    expect((await fetch(local(sluice('sign', 'http://x/i/w=10/s3://my-bucket/123.jpg')))).status).toBe(200)
  })
})
