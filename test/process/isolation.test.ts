import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { corpusFile, corpusPath, hasCorpus } from '../helpers/corpus.ts'
import { fixture, pattern } from '../helpers/fixtures.ts'
import { descendants, type Spawned, spawnServe } from '../helpers/spawn-serve.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Answer {
  readonly status: number
  readonly body: Buffer
}

async function upload(service: Spawned, recipe: string, body: Buffer): Promise<Answer> {
  const answer = await fetch(`${service.url}/upload/${recipe}`, {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: new Uint8Array(body),
  })
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) }
}

async function metricsOf(service: Spawned): Promise<(series: string) => number> {
  const page = await (await fetch(`${service.adminUrl}/metrics`)).text()
  return (series) =>
    Number(
      page
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')
        .at(-1),
    )
}

const rss = (pid: number) => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096
  } catch {
    return 0
  }
}

/** Colour that no other picture here has. */
const CANARY = [203, 11, 187] as const
const SECRET = 'CANARY-6d1f0c'

/** Pictures of nothing but the canary, with the secret in their metadata: whole buffers are full of it. */
async function canaries(): Promise<readonly Buffer[]> {
  const [r, g, b] = CANARY
  const flat = sharp({ create: { width: 1200, height: 900, channels: 3, background: { r, g, b } } })
  const exif = { IFD0: { Copyright: SECRET, Artist: SECRET, ImageDescription: SECRET.repeat(500) } }
  return Promise.all([
    flat.clone().withExif(exif).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer(),
    flat.clone().withExif(exif).png().toBuffer(),
    flat.clone().withExif(exif).webp({ lossless: true }).toBuffer(),
  ])
}

/** Pictures whose decoding may leave pixels that no byte of the input has set. */
async function gaps(): Promise<readonly Buffer[]> {
  const grey = sharp(Buffer.alloc(640 * 480, 90), { raw: { width: 640, height: 480, channels: 1 } })
  const noise = sharp(randomBytes(640 * 480 * 3), {
    raw: { width: 640, height: 480, channels: 3 },
  }).greyscale()
  const interlaced = await noise.clone().png({ progressive: true }).toBuffer()
  const progressive = await noise.clone().jpeg({ progressive: true }).toBuffer()
  const tiff = await noise.clone().tiff({ tile: true, compression: 'deflate' }).toBuffer()
  const webp = await noise.clone().webp().toBuffer()
  const gif = await grey.clone().gif().toBuffer()
  const half = (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)
  // Each grey, so that a pixel of colour is not its own.
  return [
    interlaced, half(interlaced), half(progressive), half(tiff), half(webp), half(gif),
    gif, webp, tiff, await fixture({ format: 'avif' }),
    ...(hasCorpus ? ['formats/avif-grid.avif', 'hostile/avif-truncated.avif', 'hostile/truncated.png'].map(corpusFile) : []),
  ] // biome-ignore format: a table
}

function holdsCanary(data: Buffer, channels: number): boolean {
  for (let at = 0; at < data.length; at += channels)
    if (CANARY.every((value, i) => Math.abs((data[at + i] ?? 0) - value) <= 2)) return true
  return false
}

describe('one job and the next', () => {
  test('[D-14] 200 jobs after canary pictures in the same process: same bytes as before any canary, no canary', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '1', SLUICE_RECYCLE_AFTER_JOBS: '100000' })
    const [planted, victims] = await Promise.all([canaries(), gaps()])
    const recipes = [
      'format=png',
      'w=160,format=png',
      'rotate=30,w=200,format=png',
      'metadata=all,format=jpeg',
    ]
    const jobs = victims.flatMap((bytes) => recipes.map((recipe) => ({ bytes, recipe })))
    const clean: Answer[] = []
    for (const { bytes, recipe } of jobs) clean.push(await upload(service, recipe, bytes))
    const answered = clean.filter(({ status }) => status === 200).length
    expect(answered).toBeGreaterThanOrEqual(16)
    let made = 0
    for (let i = 0; made < 200; i = (i + 1) % jobs.length) {
      const { bytes, recipe } = jobs[i] as (typeof jobs)[number]
      const filled = await upload(service, 'w=1100,format=png', planted[made % planted.length] as Buffer)
      // The canary can be seen at all.
      if (made < planted.length) {
        const { data, info } = await sharp(filled.body).raw().toBuffer({ resolveWithObject: true })
        expect(holdsCanary(data, info.channels)).toBe(true)
      }
      const answer = await upload(service, recipe, bytes)
      expect(answer.status).toBe(clean[i]?.status)
      expect(answer.body.includes(SECRET)).toBe(false)
      if (answer.status === 200) {
        expect(answer.body.equals(clean[i]?.body as Buffer)).toBe(true)
        const { data, info } = await sharp(answer.body).raw().toBuffer({ resolveWithObject: true })
        expect(holdsCanary(data, info.channels)).toBe(false)
      }
      made += 1
    }
    const metric = await metricsOf(service)
    expect(metric('sluice_worker_restarts_total{reason="recycle"}')).toBe(0)
    await service.stop()
  })

  test('[D-16] replaced after every 10 jobs under load: 240 requests, none fails', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '2', SLUICE_RECYCLE_AFTER_JOBS: '10' })
    const statuses: number[] = []
    const client = async (offset: number) => {
      for (let i = 0; i < 60; i++) {
        const answer = await fetch(`${service.url}/i/w=${20 + i},q=${50 + offset}/lake.jpg`)
        await answer.arrayBuffer()
        statuses.push(answer.status)
      }
    }
    await Promise.all([0, 1, 2, 3].map(client))
    expect(statuses).toHaveLength(240)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
    const metric = await metricsOf(service)
    expect(metric('sluice_worker_restarts_total{reason="recycle"}')).toBeGreaterThanOrEqual(22)
    await service.stop()
  })
})

/** A PNG of zeros whose header says what it likes. */
function hugePng(width: number, height: number, depth: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, crc])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([depth, 2], 8)
  const rows = Buffer.alloc((1 + width * 3 * (depth / 8)) * Math.min(height, 1000))
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

describe('a service under attack', () => {
  test('[D-09] limits off, 192 MB of budget: bombs are refused or made; no worker above 600 MB, the server grows by 20 MB at most', async () => {
    const off = Object.fromEntries(
      ['', '_JPEG', '_PROGRESSIVE', '_PNG', '_GIF', '_WEBP', '_AVIF', '_TIFF'].map((kind) => [
        `SLUICE_MAX_PIXELS${kind}`,
        '1000000000',
      ]),
    )
    const service = await spawnServe({
      ...off,
      SLUICE_MAX_EDGE: '30000',
      SLUICE_MAX_SCANS: '10000',
      SLUICE_MEMORY_BUDGET: '192MB',
      SLUICE_WORKERS: '2',
    })
    const progressive = await sharp({
      create: { width: 6000, height: 6000, channels: 3, background: '#807060' },
    })
      .jpeg({ progressive: true })
      .toBuffer()
    const bombs = [hugePng(20_000, 20_000, 16), hugePng(9000, 1000, 16), progressive]
    for (const path of ['hostile/bomb-9000x9000-rgb16.png', 'hostile/svg-data-png-bomb.svg'])
      if (existsSync(corpusPath + path)) bombs.push(corpusFile(path))
    // What the server itself needs for its first jobs is not the attack's.
    const good = await fixture({ width: 1200, height: 900, format: 'jpeg' })
    for (let i = 0; i < 40; i++) await upload(service, 'w=200', good)
    const own = rss(service.pid)
    let highest = 0
    let highestOwn = 0
    let running = true
    const watch = (async () => {
      while (running) {
        highest = Math.max(highest, ...descendants(service.pid).map(rss))
        highestOwn = Math.max(highestOwn, rss(service.pid))
        await sleep(10)
      }
    })()
    const answers = await Promise.all(
      bombs.flatMap((bomb) =>
        ['w=500', 'rotate=90,w=500'].map(async (recipe) => (await upload(service, recipe, bomb)).status),
      ),
    )
    running = false
    await watch
    expect(answers.filter((status) => ![200, 413, 422, 503].includes(status))).toEqual([])
    expect(answers.filter((status) => status !== 200).length).toBeGreaterThan(0)
    expect(highest).toBeGreaterThan(50_000_000)
    expect(highest).toBeLessThan(600_000_000)
    expect(highestOwn - own).toBeLessThan(20_000_000)
    expect((await upload(service, 'w=200', good)).status).toBe(200)
    await service.stop()
  })

  test('[O-07] uploads, slow bodies and garbage at once: the event loop, as /metrics tells it, is never late by more than 200 ms', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '2' })
    const big = await sharp(pattern(3000, 2000), { raw: { width: 3000, height: 2000, channels: 3 } })
      .jpeg({ quality: 95 })
      .toBuffer()
    const until = performance.now() + 4000
    const delays: number[] = []
    const answered: number[] = []
    await (await fetch(`${service.adminUrl}/metrics`)).text()
    const watch = async () => {
      while (performance.now() < until) {
        await sleep(500)
        // The histogram starts anew with every look at it.
        const metric = await metricsOf(service)
        delays.push(metric('nodejs_eventloop_lag_max_seconds'))
      }
    }
    const uploader = async (bytes: Buffer) => {
      while (performance.now() < until) answered.push((await upload(service, 'w=300', bytes)).status)
    }
    const dripper = () =>
      new Promise<void>((resolve) => {
        const sent = request(`${service.url}/upload`, {
          method: 'POST',
          headers: { 'content-type': 'image/jpeg', 'transfer-encoding': 'chunked' },
        }).on('error', () => undefined)
        const timer = setInterval(() => {
          sent.write(big.subarray(0, 50))
          if (performance.now() < until) return
          clearInterval(timer)
          sent.destroy()
          resolve()
        }, 20)
      })
    const garbler = async () => {
      while (performance.now() < until) {
        const socket = connect(Number(new URL(service.url).port), '127.0.0.1').on('error', () => undefined)
        socket.end(randomBytes(2000))
        await sleep(5)
        socket.destroy()
      }
    }
    await Promise.all([
      watch(),
      ...Array.from({ length: 12 }, () => uploader(big)),
      ...Array.from({ length: 4 }, () => uploader(randomBytes(1_000_000))),
      ...Array.from({ length: 30 }, dripper),
      garbler(),
    ])
    expect(answered.filter((status) => status === 200).length).toBeGreaterThan(10)
    expect(delays.length).toBeGreaterThan(4)
    // A histogram that measures nothing says 0.
    expect(Math.min(...delays)).toBeGreaterThan(0.005)
    expect(Math.max(...delays)).toBeLessThanOrEqual(0.2)
    await service.stop()
  })
})
