import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { afterEach, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { fixture, pattern } from '../helpers/fixtures.ts'
import {
  type ImageContent,
  type ImageOrigin,
  startCanary,
  startImageOrigin,
  startRawOrigin,
} from '../helpers/origin.ts'
import { metric, startService, stopService } from '../helpers/service.ts'

const TOKEN = 'token-for-purging'

let service: Running
let origin: ImageOrigin
let folder: string | undefined

/** A service that may read the origin, with a cache of its own. */
async function start(
  content: Partial<ImageContent> = {},
  env: (originHost: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'sluice-remote-'))
  const bytes = await fixture({ width: 300, height: 200, format: 'jpeg' })
  origin = await startImageOrigin({ bytes, etag: '"1"', cacheControl: 'max-age=60', ...content })
  const host = `127.0.0.1:${origin.port}`
  service = await startService({
    SLUICE_HTTP_SOURCES: host,
    SLUICE_CACHE_DIR: folder,
    SLUICE_CACHE_MEMORY: '16MB',
    SLUICE_ADMIN_TOKEN: TOKEN,
    ...env(host),
  })
}
afterEach(async () => {
  await stopService(service)
  await origin.close()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

const target = (recipe: string, path = '/a.jpg') => `/i/${recipe}/http://127.0.0.1:${origin.port}${path}`
const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(service.url + path, { headers })
  const bytes = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, headers: answer.headers, bytes, code: codeOf(answer, bytes) }
}
const codeOf = (answer: Response, bytes: Buffer): string | undefined =>
  answer.headers.get('content-type')?.includes('json') ? JSON.parse(bytes.toString()).code : undefined
const purge = async (path: string, token = TOKEN) => {
  const answer = await fetch(`${service.adminUrl}/cache${path}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  })
  return { status: answer.status, ...((await answer.json()) as { purged?: number; code?: string }) }
}
const widthOf = async (bytes: Buffer) => (await sharp(bytes).metadata()).width

describe('pictures of an origin', () => {
  test('[O-12] 200 identical requests at once: one fetch, one decode, 200 identical bodies', async () => {
    await start()
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(target('w=100'))))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map(({ bytes }) => bytes.toString('base64'))).size).toBe(1)
    expect(await widthOf(answers[0]?.bytes as Buffer)).toBe(100)
    expect(origin.requests).toHaveLength(1)
    expect(await metric(service, 'sluice_decodes_total')).toBe(1)
    expect(await metric(service, 'sluice_source_fetches_total')).toBe(1)
  })

  test('[O-12] the one who came first leaves, the others get their picture', async () => {
    await start()
    const abort = new AbortController()
    const first = fetch(service.url + target('w=1200,up=true,format=avif,effort=5'), { signal: abort.signal })
    await sleep(20)
    const others = Array.from({ length: 10 }, () => get(target('w=1200,up=true,format=avif,effort=5')))
    await sleep(50)
    abort.abort()
    await expect(first).rejects.toThrow()
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(others.map(() => 200))
    expect(await metric(service, 'sluice_decodes_total')).toBe(1)
    expect(origin.requests).toHaveLength(1)
  })

  test('ten sizes of one picture fetch it once, also one after the other', async () => {
    await start()
    for (let i = 0; i < 10; i++) expect((await get(target(`w=${50 + i}`))).status).toBe(200)
    expect(origin.requests).toHaveLength(1)
  })

  test('[O-13] an origin that fails is asked once, and everybody is told', async () => {
    const failing = await startRawOrigin((socket) => {
      setTimeout(() => socket.end('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n'), 500)
    })
    await start({}, () => ({ SLUICE_HTTP_SOURCES: `127.0.0.1:${failing.port}` }))
    const path = `/i/w=100/http://127.0.0.1:${failing.port}/a.jpg`
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(path)))
    expect(new Set(answers.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(['502 origin-failed']),
    )
    expect(answers[0]?.headers.get('cache-control')).toBe('no-store')
    expect(failing.heads).toHaveLength(1)
    await failing.close()
  })

  test('[C-07] a 404 is remembered for seconds, a 500 not at all', async () => {
    await start({ status: 404 })
    for (let i = 0; i < 3; i++) expect((await get(target(`w=${60 + i}`))).status).toBe(404)
    expect(origin.requests).toHaveLength(1)
    origin.content = { ...origin.content, status: 500 }
    for (let i = 0; i < 2; i++) expect((await get(target('w=70', '/b.jpg'))).status).toBe(502)
    expect(origin.requests).toHaveLength(3)
    origin.content = { ...origin.content, status: 200 }
    expect((await get(target('w=70', '/b.jpg'))).status).toBe(200)
  })

  test('what is stale is asked for again with its validators, not downloaded; a change makes another picture', async () => {
    await start({ cacheControl: 'max-age=0' })
    const first = await get(target('w=100'))
    const second = await get(target('w=100'))
    expect(second.bytes.equals(first.bytes)).toBe(true)
    expect(origin.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"'])
    expect(await metric(service, 'sluice_decodes_total')).toBe(1)
    origin.content = {
      ...origin.content,
      etag: '"2"',
      bytes: await sharp(pattern(300, 200), { raw: { width: 300, height: 200, channels: 3 } })
        .negate()
        .jpeg()
        .toBuffer(),
    }
    const third = await get(target('w=100'))
    expect(third.status).toBe(200)
    expect(third.bytes.equals(first.bytes)).toBe(false)
    expect(third.headers.get('etag')).not.toBe(first.headers.get('etag'))
  })

  test('[C-10] what has become stale is served at once while it is asked for again, once', async () => {
    await start({ cacheControl: 'max-age=1, stale-while-revalidate=60' })
    const first = await get(target('w=100'))
    await sleep(1100)
    const answers = await Promise.all(Array.from({ length: 30 }, () => get(target('w=100'))))
    expect(answers.every(({ bytes }) => bytes.equals(first.bytes))).toBe(true)
    await expect.poll(() => origin.requests.length).toBe(2)
    await sleep(100)
    expect(origin.requests).toHaveLength(2)
  })

  test('[C-10] an origin that fails later on does not take its pictures away', async () => {
    await start({ cacheControl: 'max-age=0, stale-if-error=60' })
    const first = await get(target('w=100'))
    origin.content = { ...origin.content, status: 503 }
    const second = await get(target('w=100'))
    expect([second.status, second.bytes.equals(first.bytes)]).toEqual([200, true])
  })

  test.for(['private', 'no-store'])(
    '[C-08] what an origin calls %s is kept by nobody',
    async (cacheControl) => {
      await start({ cacheControl })
      const answers = [await get(target('w=100')), await get(target('w=100'))]
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      expect(answers.map(({ headers }) => headers.get('cache-control'))).toEqual(['no-store', 'no-store'])
      expect(origin.requests).toHaveLength(2)
    },
  )

  test('[C-08] a cookie makes an answer personal', async () => {
    await start({ headers: { 'set-cookie': 'id=1' } })
    await get(target('w=100'))
    await get(target('w=100'))
    expect(origin.requests).toHaveLength(2)
  })

  test('[R-05] nothing that an origin says of itself reaches the client', async () => {
    await start({
      headers: { 'content-disposition': 'attachment; filename="x.exe"', refresh: '0', 'x-evil': '1' },
    })
    const { headers } = await get(target('w=100'))
    expect(headers.get('content-disposition')).toBe('inline; filename="image.jpg"')
    for (const name of ['refresh', 'x-evil', 'set-cookie']) expect(headers.get(name)).toBeNull()
  })

  test('survives a restart: results and sources are still there', async () => {
    await start()
    const first = await get(target('w=100'))
    // The put runs beside the answer.
    await expect.poll(() => metric(service, 'sluice_store_entries')).toBeGreaterThan(0)
    await sleep(300)
    await stopService(service)
    service = await startService({
      SLUICE_HTTP_SOURCES: `127.0.0.1:${origin.port}`,
      SLUICE_CACHE_DIR: folder as string,
      SLUICE_CACHE_MEMORY: '16MB',
    })
    const again = await get(target('w=100'))
    expect(again.bytes.equals(first.bytes)).toBe(true)
    expect(again.headers.get('server-timing')).toContain('disk')
    expect((await get(target('w=90'))).status).toBe(200)
    expect(origin.requests).toHaveLength(1)
    expect(await metric(service, 'sluice_decodes_total')).toBe(1)
  })
})

describe('purging', () => {
  test('by URL, by source, by prefix, by tag, all; only with the token', async () => {
    await start()
    const decodes = () => metric(service, 'sluice_decodes_total')
    const both = async () => {
      await get(target('w=100'))
      await get(target('w=120'))
    }
    await both()
    expect(await purge('', 'wrong')).toMatchObject({ status: 403, code: 'admin-token-invalid' })
    expect(await purge(target('w=100'))).toMatchObject({ status: 200, purged: 1 })
    await both()
    expect([await decodes(), origin.requests.length]).toEqual([3, 1])
    expect((await purge(`/source/http://127.0.0.1:${origin.port}/a.jpg`)).purged).toBeGreaterThanOrEqual(2)
    await both()
    expect([await decodes(), origin.requests.length]).toEqual([5, 2])
    expect((await purge(`/prefix/http://127.0.0.1:${origin.port}/`)).purged).toBeGreaterThanOrEqual(2)
    await both()
    expect([await decodes(), origin.requests.length]).toEqual([7, 3])
    expect((await purge('/tag/format%3Ajpeg')).purged).toBe(2)
    await both()
    expect([await decodes(), origin.requests.length]).toEqual([9, 3])
    expect((await purge('')).purged).toBeGreaterThanOrEqual(2)
    await both()
    expect(await decodes()).toBe(11)
    expect((await purge('/nonsense')).status).toBe(404)
  })
})

describe('where pictures may come from', () => {
  test('[S-01] no private address by source, overlay, fallback or redirect; the denial says nothing', async () => {
    const canary = await startCanary()
    const redirecting = await startRawOrigin((socket) =>
      socket.end(
        `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${canary.port}/\r\nContent-Length: 0\r\n\r\n`,
      ),
    )
    await start({}, (host) => ({
      SLUICE_HTTP_SOURCES: `${host},127.0.0.1:${redirecting.port}`,
      SLUICE_FALLBACK_IMAGE: `http://127.0.0.1:${canary.port}/fallback.jpg`,
    }))
    const secret = `http://127.0.0.1:${canary.port}/secret`
    const overlay = encodeURIComponent(secret).replaceAll('%3A', ':')
    const denied = [
      await get(`/i/w=10/${secret}`),
      await get(`/info/${secret}`),
      await get(`/explain/w=10/${secret}`),
      await get(`/i/ov=${overlay}/lake.jpg`),
      await get(`/i/w=10/http://127.0.0.1:${redirecting.port}/`),
      await get('/i/w=10/none.jpg'),
      await get('/i/w=10/http://169.254.169.254/latest/meta-data'),
      await get('/i/w=10/http:%2F%2F%5B::ffff:127.0.0.1%5D%2F'),
    ]
    for (const { status, code } of denied) expect([status, code]).toEqual([403, 'source-forbidden'])
    const details = denied.map(({ bytes }) => JSON.parse(bytes.toString()).detail)
    expect(new Set(details).size).toBe(1)
    expect(canary.connections).toBe(0)
    await Promise.all([canary.close(), redirecting.close()])
  })

  test('[S-11] a service that is asked for itself refuses the loop', async () => {
    await start()
    const port = new URL(service.url).port
    await stopService(service)
    service = await startService({ SLUICE_PORT: port, SLUICE_HTTP_SOURCES: `127.0.0.1:${port}` })
    const inner = encodeURIComponent(`http://127.0.0.1:${port}/i/w=10/lake.jpg`).replaceAll('%3A', ':')
    const answer = await get(`/i/w=5/${inner}`)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(await metric(service, 'sluice_decodes_total')).toBe(0)
  })

  test('a fallback image stands in for what is missing, with its own status and a short life', async () => {
    await start({ status: 404 }, () => ({
      SLUICE_FALLBACK_IMAGE: 'lake.jpg',
      SLUICE_FALLBACK_STATUS: '203',
      SLUICE_FALLBACK_MAX_AGE: '7',
    }))
    const answer = await get(target('w=77'))
    expect([answer.status, await widthOf(answer.bytes), answer.headers.get('cache-control')]).toEqual([
      203,
      77,
      'public, max-age=7',
    ])
  })

  test('named chains ask one place after the other; rewriting rules lead elsewhere', async () => {
    await start({}, (host) => ({
      SLUICE_SOURCES: `pictures=http://${host}/img/`,
      SLUICE_URL_REWRITES: `https://old.example.com/*=http://${host}/*`,
    }))
    expect((await get('/i/w=40/pictures:a/b.jpg')).status).toBe(200)
    expect((await get('/i/w=40/https://old.example.com/c.jpg')).status).toBe(200)
    expect(origin.requests.map(({ url }) => url)).toEqual(['/img/a/b.jpg', '/c.jpg'])
    expect((await get('/i/w=40/https://example.com/c.jpg')).status).toBe(403)
  })

  test('a slow origin holds neither workers nor those who ask for something else', async () => {
    const slow = await startRawOrigin((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n')
      const timer = setInterval(() => socket.write(Buffer.alloc(100)), 50)
      socket.once('close', () => clearInterval(timer))
    })
    await start({}, (host) => ({
      SLUICE_HTTP_SOURCES: `${host},127.0.0.1:${slow.port}`,
      SLUICE_ORIGIN_TIMEOUT_MS: '4000',
      SLUICE_ORIGIN_RATE: '1000',
    }))
    const dripping = Array.from({ length: 200 }, (_, i) =>
      get(`/i/w=10/http://127.0.0.1:${slow.port}/${i}.jpg`),
    )
    await sleep(300)
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      const startedAt = performance.now()
      expect((await get(target(`w=${100 + i}`))).status).toBe(200)
      expect((await get(target('w=100'))).status).toBe(200)
      times.push(performance.now() - startedAt)
    }
    // Two requests each; the first makes a picture.
    expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(500)
    const ends = new Set((await Promise.all(dripping)).map(({ status }) => status))
    for (const status of ends) expect([503, 504, 502]).toContain(status)
    await slow.close()
  }, 60_000)
})
