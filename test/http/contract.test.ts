import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { animation, fixture } from '../helpers/fixtures.ts'
import { metric, startService, stopService } from '../helpers/service.ts'

let service: Running
beforeAll(async () => {
  service = await startService({ SLUICE_PRESETS: 'card=w=200,h=100,fit=cover|grey=gray=true' })
})
afterAll(() => stopService(service))

const form = (bytes: Uint8Array, field = 'photo', name = 'x.txt') => {
  const body = new FormData()
  body.set(field, new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'text/plain' }), name)
  return body
}
const post = (path: string, body: FormData | Uint8Array | string, headers: Record<string, string> = {}) =>
  fetch(service.url + path, { method: 'POST', body: body as RequestInit['body'], headers })
const get = (path: string) => fetch(service.url + path)
/** fetch() cleans URLs up; this sends them as they are. */
const raw = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Promise<{ status: number; body: string; headers: Record<string, string | string[] | undefined> }>(
    (resolve, reject) => {
      const { hostname, port } = new URL(service.url)
      httpRequest({ hostname, port, path, method, headers }, (answer) => {
        const chunks: Buffer[] = []
        answer
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              body: Buffer.concat(chunks).toString(),
              headers: answer.headers,
            }),
          )
      })
        .on('error', reject)
        .end()
    },
  )

describe('POST /upload', () => {
  test.for(['jpeg', 'png', 'gif', 'webp', 'avif', 'tiff'] as const)(
    '[I-02] takes %s whatever its name and type say and answers JPEG',
    async (format) => {
      const answer = await post('/upload', form(await fixture({ format }), 'photo', 'lies.txt'))
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
      expect(await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).toMatchObject({
        format: 'jpeg',
        width: 120,
        height: 80,
      })
    },
  )

  test('takes SVG, raw bodies and the other field names', async () => {
    const svg = new TextEncoder().encode(
      '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20" fill="red"/></svg>',
    )
    expect((await post('/upload', svg)).status).toBe(200)
    expect((await post('/upload', form(await fixture(), 'image'))).status).toBe(200)
    expect(
      (await post('/upload/w=10,format=webp', form(await fixture(), 'file'))).headers.get('content-type'),
    ).toBe('image/webp')
  })

  test('applies the EXIF orientation before anything else', async () => {
    const answer = await post('/upload', await fixture({ format: 'jpeg', orientation: 6 }))
    expect(await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).toMatchObject({
      width: 80,
      height: 120,
    })
  })

  test.for(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('%s is 405 with Allow: POST', async (method) => {
    const answer = await fetch(`${service.url}/upload`, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
  })

  test.for([
    [
      'no file part',
      () => {
        const body = new FormData()
        body.set('note', 'x')
        return body
      },
      400,
      'upload-missing',
    ],
    ['a file part of another name', () => form(new Uint8Array([1]), 'other'), 400, 'upload-missing'],
    ['an empty file', () => form(new Uint8Array(0)), 400, 'upload-missing'],
    ['an empty body', () => new Uint8Array(0), 400, 'upload-missing'],
    [
      'bytes that are no image',
      () => form(new TextEncoder().encode('this is no image at all')),
      400,
      'not-an-image',
    ],
    ['a PDF', () => new TextEncoder().encode('%PDF-1.7 nothing more'), 415, 'format-unsupported'],
    ['gzip', () => new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0]), 415, 'format-unsupported'],
  ] as const)('%s is %i', async ([, body, status, code]) => {
    const answer = await post('/upload', body())
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ status, code })
    expect(answer.status).toBe(status)
  })

  test('[U-01] two files, a broken form and a long boundary are 400', async () => {
    const two = form(await fixture())
    two.append('image', new Blob([new Uint8Array([1])]), 'b')
    expect((await post('/upload', two)).status).toBe(400)
    expect(
      (await post('/upload', 'nonsense', { 'content-type': 'multipart/form-data; boundary=xyz' })).status,
    ).toBe(400)
    expect(
      (await post('/upload', 'x', { 'content-type': `multipart/form-data; boundary=${'x'.repeat(80)}` }))
        .status,
    ).toBe(400)
    expect(
      (
        await post(
          '/upload',
          '--b\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nGIF89a',
          { 'content-type': 'multipart/form-data; boundary=b' },
        )
      ).status,
    ).toBe(400)
  })

  test('[I-10] a truncated image is 400', async () => {
    const png = await fixture({ width: 400, height: 400 })
    expect((await post('/upload', png.subarray(0, png.length / 2))).status).toBe(400)
  })

  test('[U-05] Content-Encoding is 415', async () => {
    const answer = await post('/upload', await fixture(), { 'content-encoding': 'gzip' })
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([415, 'body-encoded'])
  })

  test('[I-01] over the byte limit is 413, told at once and with the connection closed', async () => {
    const { hostname, port } = new URL(service.url)
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`POST /upload HTTP/1.1\r\nHost: ${hostname}\r\nTransfer-Encoding: chunked\r\n\r\n`)
        const chunk = Buffer.alloc(64 * 1024, 0xff)
        const feed = setInterval(() => {
          if (!socket.writable) return
          for (let i = 0; i < 8; i++) {
            socket.write(`${chunk.length.toString(16)}\r\n`)
            socket.write(chunk)
            socket.write('\r\n')
          }
        }, 1)
        socket.on('close', () => clearInterval(feed))
      })
      let text = ''
      socket.on('data', (data) => {
        text += data.toString('latin1')
      })
      socket.on('close', () => resolve(text))
      socket.on('error', (error: NodeJS.ErrnoException) => (text === '' ? reject(error) : resolve(text)))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toMatch(/connection: close/i)
    expect(answer).toContain('upload-too-large')
  })

  test('[I-04] over the pixel limit is 413 before any decode', async () => {
    const before = await metric(service, 'sluice_decodes_total')
    const big = await sharp({ create: { width: 9000, height: 6000, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const answer = await post('/upload', big)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      413,
      'source-too-large',
    ])
    expect(await metric(service, 'sluice_decodes_total')).toBe(before)
  })
})

describe('GET /i', () => {
  test('makes the picture that was asked for', async () => {
    const answer = await get('/i/w=400,format=webp/lake.jpg')
    expect(await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).toMatchObject({
      format: 'webp',
      width: 400,
      height: 267,
    })
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'image/webp',
    })
    expect(answer.headers.get('server-timing')).toContain('work;dur=')
  })

  test('expands presets, and explicit keys win', async () => {
    const size = async (recipe: string) =>
      sharp(Buffer.from(await (await get(`/i/${recipe}/lake.jpg`)).arrayBuffer())).metadata()
    expect(await size('preset=card')).toMatchObject({ width: 200, height: 100 })
    expect(await size('preset=card,h=50')).toMatchObject({ width: 200, height: 50 })
    expect(await (await get('/i/preset=crad/lake.jpg')).json()).toMatchObject({
      code: 'preset-unknown',
      detail: expect.stringContaining('card'),
    })
  })

  test('puts an overlay from a root', async () => {
    const answer = await get('/i/w=300,format=png;ov=logo.png,ovpos=southeast,ovscale=0.3/lake.jpg')
    expect(answer.status).toBe(200)
    const plain = Buffer.from(await (await get('/i/w=300,format=png/lake.jpg')).arrayBuffer())
    expect(Buffer.from(await answer.arrayBuffer()).equals(plain)).toBe(false)
  })

  test('keeps frames, delays and loop of an animation', async () => {
    const answer = await post('/upload/w=15,blur=1,format=webp', await animation())
    const made = await sharp(Buffer.from(await answer.arrayBuffer()), { animated: true }).metadata()
    expect(made).toMatchObject({ pages: 4, width: 15, pageHeight: 10, delay: [50, 60, 70, 80], loop: 3 })
  })

  test.for([
    ['wdith=400', 400, 'w'],
    ['w=abc', 400, '"w"'],
    ['fit=covr', 400, 'cover'],
  ] as const)('[I-09] %s is %i and says what is allowed', async ([recipe, status, word]) => {
    const answer = await get(`/i/${recipe}/lake.jpg`)
    expect(answer.status).toBe(status)
    expect(((await answer.json()) as { detail: string }).detail).toContain(word)
  })

  test.for([
    'w=16385',
    'w=1e9',
    'w=0x10',
    'w=NaN',
    'w=-1',
    'w=1.5',
    'w=00000001',
    'w=',
    'w=1,w=2',
    'dpr=100',
    'w=%31',
    'w=1&h=2',
    Array.from({ length: 33 }, (_, i) => `w=${i + 1}`).join(';'),
  ])('[I-08] %s is 400 and fetches nothing', async (recipe) => {
    expect((await raw(`/i/${recipe}/lake.jpg`)).status).toBe(400)
  })

  test('a URL over 8 KiB is 414', async () => {
    expect((await raw(`/i/${'w=1;'.repeat(2100)}w=1/lake.jpg`)).status).toBe(414)
  })

  test.for([
    '/i/_/../package.json',
    '/i/_/..%2Fpackage.json',
    '/i/_/%2e%2e/package.json',
    '/i/_//etc/passwd',
    '/i/_/%00',
    '/i/_/lake.jpg%00.png',
    '/i/_/..',
    '/i/_/./lake.jpg',
    '/i/_/a%5Cb',
    '/i/_/b64:Li4vcGFja2FnZS5qc29u',
    '/i/_/https://example.com/a.jpg',
  ])('never a byte from outside: %s', async (path) => {
    const answer = await raw(path)
    expect([400, 403, 404]).toContain(answer.status)
    expect(answer.body).not.toMatch(/"name"|root:/)
    expect(JSON.parse(answer.body)).toHaveProperty('code')
  })

  test('[R-04] a problem is small, says its code and no path', async () => {
    const answer = await get('/i/_/missing.jpg')
    const text = await answer.text()
    expect(answer.status).toBe(404)
    expect(JSON.parse(text)).toMatchObject({
      type: 'urn:sluice:problem:source-not-found',
      instance: answer.headers.get('x-request-id'),
    })
    expect(text).not.toContain(process.cwd())
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('refuses who comes through a proxy to a loopback default', async () => {
    expect(JSON.parse((await raw('/i/_/lake.jpg', { 'x-forwarded-for': '1.2.3.4' })).body)).toMatchObject({
      status: 403,
      detail: expect.stringContaining('SLUICE_KEYS'),
    })
    expect((await raw('/i/_/lake.jpg', { host: 'images.example' })).status).toBe(403)
  })

  test('[D-01] the server process has no native image code in memory', async () => {
    const { readFileSync } = await import('node:fs')
    // This test process itself loads sharp to look at results, so the service under test is a process of its own.
    const { spawnServe } = await import('../helpers/spawn-serve.ts')
    const child = await spawnServe()
    await fetch(`${child.url}/i/w=40/lake.jpg`)
    expect(readFileSync(`/proc/${child.pid}/maps`, 'utf8')).not.toMatch(/vips|sharp|heif/)
    await child.stop()
  })
})

describe('other routes', () => {
  test('/info tells facts, /explain the plan, and nothing is decoded', async () => {
    const before = await metric(service, 'sluice_decodes_total')
    expect(await (await get('/info/tower.jpg')).json()).toMatchObject({
      format: 'jpeg',
      width: 1200,
      height: 1600,
      stored: { width: 1600, height: 1200 },
      orientation: 6,
    })
    expect(await (await post('/info', await fixture())).json()).toMatchObject({ format: 'png', width: 120 })
    const plan = await (await get('/explain/w=400/lake.jpg')).json()
    expect(plan).toMatchObject({
      plan: { decode: { shrinkOnLoad: 4 }, result: { width: 400, height: 267, exact: true } },
    })
    expect(await (await get('/explain/trim=10;w=90/lake.jpg')).json()).toMatchObject({
      plan: { result: { note: 'at most' } },
    })
    expect(await metric(service, 'sluice_decodes_total')).toBe(before)
  })

  test('[X-04] /healthz and /readyz answer on both listeners; /metrics only on the admin one [B-05]', async () => {
    for (const url of [service.url, service.adminUrl]) {
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
        status: 'ready',
        formats: expect.arrayContaining(['avif']),
      })
    }
    expect((await get('/metrics')).status).toBe(404)
    const page = await (await fetch(`${service.adminUrl}/metrics`)).text()
    for (const name of [
      'sluice_memory_budget_bytes',
      'sluice_memory_committed_bytes',
      'sluice_queue_depth',
      'sluice_decodes_total',
      'sluice_source_fetches_total',
      'sluice_store_hits_total{tier=',
      'sluice_worker_restarts_total{reason=',
      'sluice_requests_total{route=',
    ])
      expect(page).toContain(name)
  })

  test('/openapi.json names every operation and problem', async () => {
    const api = (await (await get('/openapi.json')).json()) as {
      openapi: string
      components: { schemas: { Problem: { properties: { code: { enum: string[] } } } } }
    }
    expect(api.openapi).toBe('3.1.0')
    expect(api.components.schemas).toHaveProperty('resize.properties.width')
    expect(api.components.schemas.Problem.properties.code.enum).toContain('decoder-crashed')
  })

  test('the page has a form that needs no script', async () => {
    const text = await (await get('/')).text()
    expect(text).toContain('enctype="multipart/form-data"')
    expect(text).not.toContain('<script')
  })

  test('after all of this nothing is left committed', async () => {
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await metric(service, 'sluice_memory_committed_bytes')).toBe(0)
    expect(await metric(service, 'sluice_queue_depth')).toBe(0)
  })
})

describe('signatures', () => {
  test('with keys every URL needs its own exact signature', async () => {
    const key = '00112233445566778899aabbccddeeff'
    const signed = await startService({ SLUICE_KEYS: `${key},${'ab'.repeat(16)}` })
    const { signTarget } = await import('../../src/signing/index.ts')
    const ask = async (target: string) => (await fetch(signed.url + target)).status
    const good = await signTarget('/i/w=40/lake.jpg', { key })
    expect(await ask('/i/w=40/lake.jpg')).toBe(403)
    expect(await ask(good)).toBe(200)
    expect(await ask(await signTarget('/i/w=40/lake.jpg', { key: 'ab'.repeat(16) }))).toBe(200)
    expect(await ask(good.replace('w=40', 'w=41'))).toBe(403)
    expect(await ask(`${good}=`)).toBe(403)
    expect(await ask(await signTarget('/i/w=40/lake.jpg', { key, expires: 1000 }))).toBe(403)
    expect(await ask('/healthz')).toBe(200)
    await stopService(signed)
  }, 30_000)
})
