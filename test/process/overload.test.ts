import { request } from 'node:http'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { corpusFile, hasCorpus } from '../helpers/corpus.ts'
import { pattern } from '../helpers/fixtures.ts'
import { descendants, pssOf, spawnServe } from '../helpers/spawn-serve.ts'

const PHOTOS = [
  'photos/zebra-11mp.jpg',
  'photos/cairn-13mp-portrait.jpg',
  'photos/moon-16mp-dark.jpg',
  'photos/laptop-22mp-srgb.jpg',
]

async function photos(): Promise<readonly Buffer[]> {
  if (hasCorpus) return PHOTOS.map(corpusFile)
  const data = pattern(4400, 3300)
  return [
    await sharp(data, { raw: { width: 4400, height: 3300, channels: 3 } })
      .jpeg({ quality: 70 })
      .toBuffer(),
  ]
}

/** Plain node:http: fetch() would share one pool of connections. */
function upload(url: string, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      `${url}/upload`,
      {
        method: 'POST',
        headers: { 'content-type': 'image/jpeg', 'content-length': body.length },
        agent: false,
      },
      (answer) => {
        answer
          .resume()
          .on('end', () => resolve(answer.statusCode ?? 0))
          .on('error', () => resolve(-1))
      },
    )
    sent.on('error', () => resolve(-1))
    sent.end(body)
  })
}

describe('overload', () => {
  test('[O-01] [O-05] [O-08] 96 uploads at once end in 200 or 503, inside the budget; health answers throughout', async () => {
    const budget = 128_000_000
    const service = await spawnServe({ SLUICE_MEMORY_BUDGET: String(budget), SLUICE_LOG_LEVEL: 'info' })
    const files = await photos()
    // Idle footprint: after every process has done one job.
    await Promise.all(
      Array.from({ length: 6 }, (_, i) => upload(service.url, files[i % files.length] as Buffer)),
    )
    await new Promise((resolve) => setTimeout(resolve, 500))
    const tree = () => [service.pid, ...descendants(service.pid)]
    const idle = pssOf(tree())
    let peak = 0
    let slowest = 0
    let running = true
    const watch = (async () => {
      while (running) {
        const startedAt = performance.now()
        expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
        slowest = Math.max(slowest, performance.now() - startedAt)
        peak = Math.max(peak, pssOf(tree()))
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    })()
    const statuses = await Promise.all(
      Array.from({ length: 96 }, (_, i) => upload(service.url, files[i % files.length] as Buffer)),
    )
    running = false
    await watch
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(10)
    process.stdout.write(
      `    idle ${Math.round(idle / 1e6)} MB, peak ${Math.round(peak / 1e6)} MB, budget ${budget / 1e6} MB, slowest health ${Math.round(slowest)} ms, 200s ${statuses.filter((status) => status === 200).length}\n`,
    )
    expect(peak).toBeLessThanOrEqual(budget + idle)
    expect(await upload(service.url, files[0] as Buffer)).toBe(200)
    await service.stop()
  }, 120_000)
})
