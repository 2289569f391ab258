import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import type { Running } from '../../src/main.ts'
import { createSourceCipher, signPolicy, signTarget } from '../../src/signing/index.ts'
import { animation, fixture } from '../helpers/fixtures.ts'
import { metric, startService, stopService } from '../helpers/service.ts'

const KEY = '0f'.repeat(32)
const OLD_KEY = 'a0'.repeat(32)
const SOURCE_KEY = '3c'.repeat(32)
const AVIF = 'image/avif,image/webp,image/apng,image/*,*/*;q=0.8'

let service: Running
const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const answer = await fetch(service.url + path, { headers, method })
  const bytes = Buffer.from(await answer.arrayBuffer())
  const isProblem = answer.headers.get('content-type')?.includes('problem') === true
  return {
    status: answer.status,
    headers: answer.headers,
    bytes,
    code: isProblem ? (JSON.parse(bytes.toString()).code as string) : undefined,
  }
}

describe('how pictures are delivered', () => {
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-delivery-'))
    writeFileSync(join(folder, 'a.jpg'), await fixture({ format: 'jpeg', width: 200, height: 100 }))
    writeFileSync(join(folder, 'alpha.png'), await fixture({ format: 'png', alpha: true }))
    writeFileSync(join(folder, 'moving.gif'), await animation(3))
    service = await startService({
      SLUICE_ROOT: folder,
      SLUICE_CACHE_MEMORY: '32MB',
      SLUICE_PUBLIC_URL: 'https://img.example.com',
      SLUICE_CORS_ORIGINS: 'https://app.example.com',
      SLUICE_TIMING_ALLOW_ORIGIN: '*',
      SLUICE_SHARED_MAX_AGE: '1000',
    })
  })
  afterAll(async () => {
    await stopService(service)
    rmSync(folder, { recursive: true, force: true })
  })

  test.for(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'])(
    '[R-01] %s has every header of a picture',
    async (format) => {
      const { headers, bytes } = await ask(`/i/w=40,format=${format}/a.jpg`)
      const extension = format === 'jpeg' ? 'jpg' : format
      expect(Object.fromEntries(headers)).toMatchObject({
        'content-type': `image/${format}`,
        'content-length': String(bytes.length),
        'content-disposition': `inline; filename="image.${extension}"`,
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'cross-origin',
        'accept-ranges': 'bytes',
        etag: expect.stringMatching(/^"[\w-]{32}"$/),
        'last-modified': expect.stringMatching(/GMT$/),
        'timing-allow-origin': '*',
        link: `<https://img.example.com/i/w=40,format=${format}/a.jpg>; rel="canonical"`,
      })
      expect(headers.get('vary')).toBeNull()
      expect(headers.get('cache-control')).toContain('max-age=86400, s-maxage=1000')
    },
  )

  test('[R-09] a client that has it gets 304, without a decode', async () => {
    const { headers } = await ask('/i/w=41/a.jpg')
    const decodes = await metric(service, 'sluice_decodes_total')
    const etag = headers.get('etag') as string
    const modified = headers.get('last-modified') as string
    const fresh = await ask('/i/w=41/a.jpg', { 'if-none-match': `"x", W/${etag}` })
    expect([fresh.status, fresh.bytes.length, fresh.headers.get('etag')]).toEqual([304, 0, etag])
    expect(fresh.headers.get('cache-control')).toBe(headers.get('cache-control'))
    expect((await ask('/i/w=41/a.jpg', { 'if-modified-since': modified })).status).toBe(304)
    expect(
      (await ask('/i/w=41/a.jpg', { 'if-none-match': '"x"', 'if-modified-since': modified })).status,
    ).toBe(200)
    expect(await metric(service, 'sluice_decodes_total')).toBe(decodes)
  })

  test('[R-07] HEAD is GET without the bytes', async () => {
    const get = await ask('/i/w=42/a.jpg')
    const head = await ask('/i/w=42/a.jpg', {}, 'HEAD')
    expect([head.status, head.bytes.length]).toEqual([200, 0])
    for (const name of [
      'content-type',
      'content-length',
      'etag',
      'cache-control',
      'last-modified',
      'content-disposition',
    ])
      expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)])
  })

  test.for([
    ['bytes=0-0', 206, [0, 1]],
    ['bytes=5-', 206, [5, undefined]],
    ['bytes=-7', 206, [-7, undefined]],
    ['bytes=0-,0-,0-', 200, [0, undefined]],
    ['lines=1-2', 200, [0, undefined]],
  ] as const)('[R-08] Range: %s', async ([range, status, [from, to]]) => {
    const whole = await ask('/i/w=43/a.jpg')
    const part = await ask('/i/w=43/a.jpg', { range })
    expect(part.status).toBe(status)
    expect(part.bytes.equals(whole.bytes.subarray(from, to))).toBe(true)
    const stale = await ask('/i/w=43/a.jpg', { range, 'if-range': '"other"' })
    expect([stale.status, stale.bytes.length]).toEqual([200, whole.bytes.length])
  })

  test('[R-08] a range behind the end is 416 and tells the length', async () => {
    const whole = await ask('/i/w=43/a.jpg')
    const { status, headers } = await ask('/i/w=43/a.jpg', { range: 'bytes=9999999-' })
    expect([status, headers.get('content-range')]).toEqual([416, `bytes */${whole.bytes.length}`])
  })

  test.for([
    ['a.jpg', AVIF, 'avif'],
    ['a.jpg', 'image/webp,*/*', 'webp'],
    ['a.jpg', '*/*', 'jpeg'],
    ['a.jpg', 'image/avif;q=0.1,image/webp', 'webp'],
    ['alpha.png', '*/*', 'png'],
    ['moving.gif', AVIF, 'webp'],
    ['moving.gif', '*/*', 'gif'],
  ] as const)(
    'format=auto of %s for "%s" is %s, and says what it depended on',
    async ([name, accept, format]) => {
      const { headers } = await ask(`/i/w=20,format=auto/${name}`, { accept })
      expect(headers.get('content-type')).toBe(`image/${format}`)
      expect(headers.get('vary')).toBe('Accept, Save-Data')
    },
  )

  test('Save-Data gets fewer bytes', async () => {
    const rich = await ask('/i/w=180,format=auto/a.jpg', { accept: 'image/webp' })
    const poor = await ask('/i/w=180,format=auto/a.jpg', { accept: 'image/webp', 'save-data': 'on' })
    expect(poor.bytes.length).toBeLessThan(rich.bytes.length)
  })

  test('dpr=auto and w=auto follow the hints of the client', async () => {
    const { headers } = await ask('/i/w=auto,dpr=auto/a.jpg', { 'sec-ch-dpr': '1.6', 'sec-ch-width': '90' })
    expect(headers.get('vary')).toContain('Sec-CH-DPR')
    expect(headers.get('accept-ch')).toContain('Sec-CH-Width')
    expect(headers.get('content-dpr')).toBe('2')
    const plain = await ask('/i/dpr=auto,w=30/a.jpg')
    expect(plain.headers.get('content-dpr')).toBe('1')
  })

  test('[C-01] headers that are no part of the question change nothing', async () => {
    const plain = await ask('/i/w=44/a.jpg', { accept: '*/*' })
    const decodes = await metric(service, 'sluice_decodes_total')
    for (const headers of [
      { cookie: 'a=1' },
      { 'accept-language': 'fr' },
      { origin: 'https://app.example.com' },
      { accept: AVIF },
      { 'x-original-url': '/i/w=9/a.jpg' },
      { 'x-rewrite-url': '/i/w=9/a.jpg' },
      { 'user-agent': 'x' },
    ])
      expect(
        (await ask('/i/w=44/a.jpg', headers as unknown as Record<string, string>)).bytes.equals(plain.bytes),
      ).toBe(true)
    expect(await metric(service, 'sluice_decodes_total')).toBe(decodes)
  })

  test('a version in the URL lives long; a changed file is another picture at once', async () => {
    const versioned = await ask('/i/w=45/a.jpg?v=3')
    expect(versioned.headers.get('cache-control')).toContain('max-age=31536000')
    expect(versioned.headers.get('cache-control')).toContain('immutable')
    const before = await ask('/i/w=46/b.jpg')
    expect(before.status).toBe(404)
    const file = join(folder, 'b.jpg')
    writeFileSync(file, await fixture({ format: 'jpeg', width: 300, height: 100 }))
    const first = await ask('/i/w=46/b.jpg')
    writeFileSync(file, await fixture({ format: 'jpeg', width: 100, height: 300 }))
    utimesSync(file, new Date(), new Date(Date.now() + 2000))
    const second = await ask('/i/w=46/b.jpg')
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.headers.get('etag')).not.toBe(first.headers.get('etag'))
  })

  test('CORS for the origins that are allowed', async () => {
    const ours = await ask('/i/w=47/a.jpg', { origin: 'https://app.example.com' })
    const others = await ask('/i/w=47/a.jpg', { origin: 'https://other.example.com' })
    expect(ours.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(others.headers.get('access-control-allow-origin')).toBeNull()
    expect(ours.headers.get('vary')).toBe('Origin')
  })

  test('[R-04] no problem is kept by anybody', async () => {
    for (const path of ['/i/w=0/a.jpg', '/i/w=5/none.jpg', '/i/w=5/../a.jpg', '/nowhere'])
      expect((await ask(path)).headers.get('cache-control')).toBe('no-store')
  })
})

describe('signed', () => {
  beforeAll(async () => {
    service = await startService({
      SLUICE_KEYS: `${KEY},${OLD_KEY}`,
      SLUICE_SOURCE_KEY: SOURCE_KEY,
      SLUICE_PRESETS: 'card=w=60,h=40,fit=cover',
      SLUICE_CACHE_MEMORY: '16MB',
    })
  })
  afterAll(() => stopService(service))

  test('[G-05] any key verifies, the first signs; an unsigned URL is refused', async () => {
    const path = '/i/w=30/lake.jpg'
    expect((await ask(await signTarget(path, { key: KEY }))).status).toBe(200)
    expect((await ask(await signTarget(path, { key: OLD_KEY }))).status).toBe(200)
    expect((await ask(await signTarget(path, { key: 'ee'.repeat(32) }))).code).toBe('signature-invalid')
    expect((await ask(path)).code).toBe('signature-missing')
  })

  test('[G-02] every bit of a signed URL counts', async () => {
    const signed = await signTarget('/i/w=31,blur=2/lake.jpg?v=7', { key: KEY })
    expect((await ask(signed)).status).toBe(200)
    const statuses = new Map<number, number>()
    for (let at = 3; at < signed.length; at++) {
      for (const bit of [1, 2, 4, 32]) {
        const char = String.fromCharCode(signed.charCodeAt(at) ^ bit)
        if (!/[\x21\x24-\x7e]/.test(char) || char === '\\') continue
        const { status } = await ask(signed.slice(0, at) + char + signed.slice(at + 1))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    expect([...statuses.keys()].filter((status) => ![400, 403].includes(status))).toEqual([])
    expect(statuses.get(403)).toBeGreaterThan(200)
  })

  test('[G-07] a wrong signature reaches neither cache nor source, and the log has no signature', async () => {
    const decodes = await metric(service, 'sluice_decodes_total')
    for (let i = 0; i < 200; i++)
      expect((await ask(`/i/w=${i + 1}/https://never.example.com/a.jpg?s=${'A'.repeat(43)}`)).status).toBe(
        403,
      )
    expect(await metric(service, 'sluice_decodes_total')).toBe(decodes)
    expect(await metric(service, 'sluice_source_fetches_total')).toBe(0)
  })

  test('a signature that ends bounds what caches may keep', async () => {
    const expires = Math.floor(Date.now() / 1000) + 100
    const { headers } = await ask(await signTarget('/i/w=32/lake.jpg', { key: KEY, expires }))
    const maxAge = Number(/max-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1])
    expect(maxAge).toBeLessThanOrEqual(100)
    const past = Math.floor(Date.now() / 1000) - 61
    expect((await ask(await signTarget('/i/w=32/lake.jpg', { key: KEY, expires: past }))).code).toBe(
      'signature-expired',
    )
  })

  test('one policy serves every size within its bounds, DPR included', async () => {
    const p = await signPolicy(
      { src: 'lake.jpg', maxW: 200, formats: ['jpeg', 'webp'], presets: ['card'] },
      { key: KEY },
    )
    const within = ['w=100', 'w=200', 'w=100,dpr=2', 'w=50,format=webp', 'preset=card']
    for (const recipe of within)
      expect([recipe, (await ask(`/i/${recipe}/lake.jpg?p=${p}`)).status]).toEqual([recipe, 200])
    const beyond = ['w=201', 'w=101,dpr=2', 'w=50,format=png', '_']
    for (const recipe of beyond)
      expect([recipe, (await ask(`/i/${recipe}/lake.jpg?p=${p}`)).code]).toEqual([recipe, 'policy-exceeded'])
    expect((await ask(`/i/w=100/tower.jpg?p=${p}`)).code).toBe('policy-exceeded')
    expect((await ask(`/i/w=100,ov=logo.png/lake.jpg?p=${p}`)).code).toBe('policy-exceeded')
    expect((await ask(`/i/w=100/lake.jpg?p=${p.slice(0, -2)}AA`)).code).toBe('policy-invalid')
    // What another one was allowed is kept, and still refused to this one.
    expect((await ask(await signTarget('/i/w=300/lake.jpg', { key: KEY }))).status).toBe(200)
    expect((await ask(`/i/w=300/lake.jpg?p=${p}`)).code).toBe('policy-exceeded')
  })

  test('an encrypted source is read, and says nothing when it cannot be', async () => {
    const token = await createSourceCipher(SOURCE_KEY).encrypt('lake.jpg')
    const path = `/i/w=33/e:${token}`
    expect((await ask(await signTarget(path, { key: KEY }))).status).toBe(200)
    const broken = `/i/w=33/e:${token.slice(0, -3)}AAA`
    expect((await ask(await signTarget(broken, { key: KEY }))).code).toBe('source-forbidden')
    const missing = await createSourceCipher(SOURCE_KEY).encrypt('secret-name.jpg')
    const answer = await ask(await signTarget(`/i/w=33/e:${missing}`, { key: KEY }))
    expect([answer.status, answer.bytes.includes('secret-name')]).toEqual([404, false])
  })

  test('the client library builds URLs that are served', async () => {
    const client = createClient({ baseUrl: service.url, key: KEY })
    const url = await client.url({ source: 'lake.jpg', recipe: 'w=34,format=webp' })
    expect((await ask(url.slice(service.url.length))).status).toBe(200)
  })
})

describe('narrow services', () => {
  test('presets only', async () => {
    service = await startService({ SLUICE_PRESETS_ONLY: 'true', SLUICE_PRESETS: 'card=w=60,h=40,fit=cover' })
    expect((await ask('/i/preset=card/lake.jpg')).status).toBe(200)
    for (const path of ['/i/w=10/lake.jpg', '/i/preset=card,w=10/lake.jpg', '/i/preset=card;blur=2/lake.jpg'])
      expect((await ask(path)).code).toBe('operation-forbidden')
    await stopService(service)
  })

  test('some operations', async () => {
    service = await startService({ SLUICE_ALLOWED_OPERATIONS: 'resize,crop', SLUICE_PRESETS: 'soft=blur=2' })
    expect((await ask('/i/w=10/lake.jpg')).status).toBe(200)
    expect((await ask('/i/preset=soft/lake.jpg')).status).toBe(200)
    expect((await ask('/i/blur=2/lake.jpg')).code).toBe('operation-forbidden')
    await stopService(service)
  })
})
