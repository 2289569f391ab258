import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { probeImage } from '../../src/worker/probe-image.ts'
import { animation, fixture, pattern } from '../helpers/fixtures.ts'
import { repeatLastScan } from '../helpers/jpeg-scans.ts'
import { pngWith } from '../helpers/png-chunks.ts'
import { startService, stopService } from '../helpers/service.ts'

const MIB = 1024 * 1024

describe('limits on what a header says', () => {
  let service: Running
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(() => stopService(service))

  const upload = async (body: Uint8Array, recipe = '') => {
    const answer = await fetch(`${service.url}/upload${recipe}`, {
      method: 'POST',
      body: new Uint8Array(body),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const json = answer.headers.get('content-type')?.includes('json') ? JSON.parse(bytes.toString()) : {}
    return {
      status: answer.status,
      bytes,
      code: json.code as string | undefined,
      limit: json.limit as string | undefined,
    }
  }

  test('[I-03] a loader other than the one that was recognised is refused', async () => {
    const png = await fixture({ format: 'png' })
    await expect(probeImage(png, 'jpeg')).rejects.toMatchObject({ code: 'image-broken' })
    await expect(probeImage(png, 'tiff')).rejects.toMatchObject({
      code: 'image-broken',
      internal: 'loader png',
    })
  })

  test('[I-03] a file that begins as GIF and goes on as JPEG is a GIF or nothing', async () => {
    const jpeg = await fixture({ format: 'jpeg' })
    const answer = await upload(Buffer.concat([Buffer.from('GIF89a'), jpeg]))
    expect([answer.status, answer.code]).toEqual([400, 'image-broken'])
  })

  test('[I-05] 200 frames are made, 201 are refused before a decode', async () => {
    const good = await upload(await animation(200, 10, 10), '/format=gif')
    expect(good.status).toBe(200)
    expect((await sharp(good.bytes, { animated: true }).metadata()).pages).toBe(200)
    const bad = await upload(await animation(201, 10, 10), '/format=gif')
    expect([bad.status, bad.code, bad.limit]).toEqual([413, 'source-too-large', 'frames'])
    // A still takes one frame: the others cost nothing.
    expect((await upload(await animation(201, 10, 10), '/format=png')).status).toBe(200)
  })

  test('[I-05] frames that are small in and large out are refused by their sum', async () => {
    const { status, code, limit } = await upload(
      await animation(100, 10, 10),
      '/w=1000,h=1000,fit=fill,up=true,format=webp',
    )
    expect([status, code, limit]).toEqual([400, 'result-too-large', 'frame-pixels'])
  })

  test.for([
    ['100 text chunks pass', { texts: 100 }, 200],
    ['101 text chunks do not', { texts: 101 }, 400],
    ['a text that inflates to 5 MiB does not', { inflated: 5 * MIB }, 400],
  ] as const)('[I-07] %s', async ([, chunks, status]) => {
    expect((await upload(pngWith(await fixture(), chunks))).status).toBe(status)
  })

  test('[I-07] a colour profile of 5 MiB is refused, one of 400 kB is not', async () => {
    const withProfile = async (bytes: number) => {
      const srgb = (
        await sharp(
          await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
            .withIccProfile('p3')
            .jpeg()
            .toBuffer(),
        ).metadata()
      ).icc as Buffer
      const padded = Buffer.concat([srgb, Buffer.alloc(bytes - srgb.length)])
      padded.writeUInt32BE(bytes, 0)
      return pngWith(await fixture(), { profile: padded })
    }
    expect((await upload(await withProfile(400_000))).status).toBe(200)
    expect((await upload(await withProfile(5 * MIB))).status).toBe(400)
  })

  test('[I-13] a progressive JPEG of 100 scans passes, of more it is refused before a decode', async () => {
    const progressive = await sharp(pattern(64, 64), { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg({ progressive: true })
      .toBuffer()
    expect((await upload(progressive)).status).toBe(200)
    const bad = await upload(repeatLastScan(progressive, 200))
    expect([bad.status, bad.code, bad.limit]).toEqual([413, 'source-too-large', 'scans'])
  })

  test('[I-13] more scans behind a baseline picture that is whole are never read', async () => {
    const baseline = await fixture({ format: 'jpeg' })
    const { status } = await upload(repeatLastScan(baseline, 3000))
    expect([200, 400, 413]).toContain(status)
    expect((await upload(baseline)).status).toBe(200)
  })
})
