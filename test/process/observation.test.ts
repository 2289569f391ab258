import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fixture, pattern } from '../helpers/fixtures.ts'
import { descendants, type Spawned, spawnServe } from '../helpers/spawn-serve.ts'

const SAMPLES = fileURLToPath(new URL('../../samples', import.meta.url))
const KEY = '00'.repeat(32)

/** What a line about one request holds. */
const requestLine = z.object({
  level: z.number(),
  time: z.union([z.string(), z.number()]),
  msg: z.literal('request'),
  id: z.uuid(),
  method: z.string(),
  url: z.string().max(2200),
  status: z.int(),
  code: z.string(),
  route: z.string(),
  totalMs: z.number().min(0),
})
/** What it holds beside that when a picture was made. */
const workLine = requestLine.extend({
  sourceKind: z.string(),
  inputFormat: z.string(),
  outputFormat: z.string(),
  bytesIn: z.int().min(1),
  bytesOut: z.int().min(1),
  pixels: z.int().min(1),
  queueMs: z.number().min(0),
  probeMs: z.number().min(0),
  decodeMs: z.number().min(0),
  workerId: z.int().min(1),
  peakBytes: z.int().min(1),
})

describe('what the service tells of itself', () => {
  let service: Spawned
  beforeAll(async () => {
    service = await spawnServe({ SLUICE_ROOT: SAMPLES, SLUICE_MAX_FRAMES: '3', SLUICE_MAX_EDGE: '3000' })
  })
  afterAll(() => service.stop())

  const upload = (body: Buffer, path = '/upload') =>
    fetch(service.url + path, { method: 'POST', body: new Uint8Array(body) })
  const page = async () => (await fetch(`${service.adminUrl}/metrics`)).text()
  const counterOf = async (series: string) =>
    Number(
      (await page())
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')
        .at(-1) ?? 0,
    )
  const requests = () =>
    service.log
      .filter((line) => line.includes('"request"'))
      .map((line) => JSON.parse(line) as { url: string })

  test('[B-01] one line per request says who, what, how much and how long', async () => {
    const before = requests().length
    const paths = ['/i/w=50/lake.jpg', '/i/w=0/lake.jpg', '/i/w=50/none.jpg', '/info/lake.jpg', '/nowhere']
    for (let round = 0; round < 20; round++)
      for (const path of paths) await (await fetch(service.url + path)).arrayBuffer()
    await upload(await fixture())
    await sleep(200)
    const lines = requests().slice(before)
    expect(lines).toHaveLength(20 * paths.length + 1)
    for (const line of lines) expect(() => requestLine.parse(line)).not.toThrow()
    const made = lines.filter(({ url }) => url === paths[0] || url === '/upload')
    expect(made).toHaveLength(21)
    for (const line of made) expect(() => workLine.parse(line)).not.toThrow()
  })

  test('[B-01] a client that leaves has its line, too', async () => {
    const before = requests().length
    const abort = new AbortController()
    const path = '/i/w=1500,format=avif,effort=6/lake.jpg'
    const left = fetch(service.url + path, { signal: abort.signal }).catch((error: Error) => error.name)
    await sleep(150)
    abort.abort()
    expect(await left).toBe('AbortError')
    await sleep(200)
    expect(requests().slice(before)).toMatchObject([{ url: path, status: 499, code: 'client-closed' }])
  })

  test('[B-02] a hostile URL is one line, cut, without control characters and credentials', async () => {
    const before = service.log.length
    const urls = [
      `/i/w=50/%0d%0a{"level":"fatal"}`,
      '/i/w=50/%1b[31mred',
      `/i/w=50/${'x'.repeat(6000)}`,
      '/i/w=50/http://user:secret-word@host/a.jpg',
      '/i/w=50/lake.jpg?s=secret-word',
      '/i/w=50/lake.jpg?e=1&s=secret-word',
    ]
    for (const url of urls) await (await fetch(service.url + url)).arrayBuffer()
    await sleep(200)
    const lines = service.log.slice(before)
    expect(lines).toHaveLength(urls.length)
    for (const line of lines) {
      expect(() => JSON.parse(line)).not.toThrow()
      expect(line).not.toContain('secret-word')
      expect(line.length).toBeLessThan(4096)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(line).not.toMatch(/[\u0000-\u001f]/)
    }
  })

  const wide = () =>
    sharp({ create: { width: 3100, height: 10, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
  const large = () => sharp({ create: { width: 2999, height: 2999, channels: 3, background: 'red' } })
  const frames = (count: number) =>
    sharp(pattern(20, 20 * count), { raw: { width: 20, height: 20 * count, channels: 3, pageHeight: 20 } })
      .gif()
      .toBuffer()

  test.for([
    ['source-too-large', 'edge', async () => upload(await wide())],
    ['source-too-large', 'frames', async () => upload(await frames(4), '/upload/format=gif')],
    ['result-too-large', 'edge', async () => upload(await fixture(), '/upload/w=9000,up=true')],
    [
      'upload-too-large',
      'bytes',
      async () => upload(Buffer.concat([await large().jpeg().toBuffer(), Buffer.alloc(26_300_000)])),
    ],
  ] as const)('[B-03] %s (%s) moves its counter by exactly one', async ([code, limit, provoke]) => {
    const series = [
      `sluice_limits_total{code="${code}",limit="${limit}"}`,
      `sluice_problems_total{code="${code}"}`,
    ]
    const before = await Promise.all(series.map(counterOf))
    const { status } = await provoke()
    expect(status).toBeGreaterThanOrEqual(400)
    // Counted when the answer is over, which for a body that is cut off comes after its client has read it.
    await sleep(1500)
    expect(await Promise.all(series.map(counterOf))).toEqual(before.map((value) => value + 1))
  })

  test('[B-03] metrics name kills by reason, the queue, the sandbox and every codec', async () => {
    const text = await page()
    expect(text).toContain('sluice_worker_restarts_total{reason="deadline"}')
    expect(text).toMatch(/^sluice_queue_depth \d/m)
    expect(text).toMatch(/^sluice_sandbox_level\{level="[^"]+"\} 1$/m)
    expect(text).toMatch(/^sluice_codec_info\{codec="vips",version="[\d.]+"\} 1$/m)
  })

  test('[B-04] two thousand different paths, hosts and names leave the metrics page as small as before', async () => {
    const series = async () => (await page()).split('\n').length
    await fetch(`${service.url}/i/w=50/none.jpg`)
    const before = await series()
    for (let i = 0; i < 2000; i += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          fetch(`${service.url}/${n % 2 ? 'i/w=50/' : ''}file-${i + n}.jpg`, {
            headers: { 'user-agent': `agent-${i + n}`, 'x-forwarded-for': `10.0.${i % 250}.${n}` },
          }).then((answer) => answer.arrayBuffer()),
        ),
      )
    expect(await series()).toBeLessThanOrEqual(before + 20)
    expect((await page()).length).toBeLessThan(256 * 1024)
  })

  test('[B-06] a worker that dies in a job leaves hash, format, size and signal in the log', async () => {
    const busy = sharp(pattern(2400, 1600), { raw: { width: 2400, height: 1600, channels: 3 } })
    const job = upload(await busy.jpeg().toBuffer(), '/upload/format=avif,effort=6')
    const deaths = () => service.log.filter((line) => line.includes('worker ended in a job'))
    const busyWorkers = async () => {
      const ready = (await (await fetch(`${service.url}/readyz`)).json()) as { workers: { busy: number } }
      return ready.workers.busy
    }
    await expect.poll(busyWorkers, { timeout: 5000, interval: 20 }).toBe(1)
    // Whoever works gets the signal of a crash; a death by its input is not tried again.
    for (const pid of descendants(service.pid)) process.kill(pid, 'SIGSEGV')
    expect((await job).status).toBe(400)
    expect(JSON.parse(deaths()[0] as string)).toMatchObject({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      format: 'jpeg',
      bytes: expect.any(Number),
      signal: 'SIGSEGV',
      stderr: expect.any(String),
    })
    await sleep(500)
    expect((await upload(await fixture())).status).toBe(200)
  }, 30_000)
})

describe('signed', () => {
  test('[B-02] a key is never in the log', async () => {
    const service = await spawnServe({ SLUICE_ROOT: SAMPLES, SLUICE_KEYS: KEY })
    await (await fetch(`${service.url}/i/w=50/lake.jpg?s=wrong-signature`)).arrayBuffer()
    await sleep(200)
    expect(service.log.join('\n')).not.toContain(KEY)
    expect(service.log.join('\n')).not.toContain('wrong-signature')
    await service.stop()
  })
})
