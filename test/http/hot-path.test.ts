import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get as request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { signTarget } from '../../src/signing/index.ts'
import { fixture } from '../helpers/fixtures.ts'
import { metric, startService, stopService } from '../helpers/service.ts'

const KEY = '0f'.repeat(32)
const TOKEN = 'token-for-purging'

let service: Running
let folder: string

const ask = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(service.url + path, { headers })
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    bytes: Buffer.from(await answer.arrayBuffer()),
  }
}
/** The same again and again, as a crowd asks; the last answer. */
const crowd = async (path: string, headers: Record<string, string> = {}) => {
  let last = await ask(path, headers)
  for (let i = 0; i < 40; i++) last = await ask(path, headers)
  return last
}
/** With a `Host` of one's own, which `fetch` does not allow. */
const statusWith = (path: string, headers: Record<string, string>) =>
  new Promise<number>((resolve, reject) => {
    request(service.url + path, { headers }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
    }).on('error', reject)
  })

describe('a picture that a crowd asks for', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-hot-'))
    writeFileSync(join(folder, 'a.jpg'), await fixture({ format: 'jpeg', width: 200, height: 100 }))
    service = await startService({
      SLUICE_ROOT: folder,
      SLUICE_CACHE_MEMORY: '32MB',
      SLUICE_ADMIN_TOKEN: TOKEN,
    })
  })
  afterAll(async () => {
    await stopService(service)
    rmSync(folder, { recursive: true, force: true })
  })

  test('has the same bytes and headers as the first time, an id of its own, and is counted', async () => {
    await ask('/i/w=50/a.jpg')
    const first = await ask('/i/w=50/a.jpg')
    const before = await metric(service, 'sluice_store_hits_total')
    const hot = await crowd('/i/w=50/a.jpg')
    const { 'x-request-id': firstId, date: _a, ...firstHeaders } = first.headers
    const { 'x-request-id': hotId, date: _b, ...hotHeaders } = hot.headers
    expect(hotHeaders).toEqual(firstHeaders)
    expect(hot.bytes.equals(first.bytes)).toBe(true)
    expect(hotId).not.toBe(firstId)
    await sleep(150)
    expect((await metric(service, 'sluice_store_hits_total')) - before).toBe(41)
  })

  test('is answered 304 to those who have it', async () => {
    const { headers } = await crowd('/i/w=51/a.jpg')
    const again = await crowd('/i/w=51/a.jpg', { 'if-none-match': headers.etag as string })
    expect([again.status, again.bytes.length, again.headers.etag, again.headers['content-type']]).toEqual([
      304,
      0,
      headers.etag,
      undefined,
    ])
  })

  test('is still what the client takes', async () => {
    for (const [accept, type] of [
      ['image/avif', 'image/avif'],
      ['image/webp', 'image/webp'],
      ['*/*', 'image/jpeg'],
    ] as const)
      expect((await crowd('/i/w=20,format=auto/a.jpg', { accept })).headers['content-type']).toBe(type)
  })

  test('is still refused to those who come by another name or through a proxy', async () => {
    await crowd('/i/w=52/a.jpg')
    expect(await statusWith('/i/w=52/a.jpg', { host: 'evil.example.com' })).toBe(403)
    expect(await statusWith('/i/w=52/a.jpg', { 'x-forwarded-for': '10.0.0.1' })).toBe(403)
    expect(await statusWith('/i/w=52/a.jpg', {})).toBe(200)
  })

  test('is another one soon after its file has changed, and at once after a purge', async () => {
    const before = await crowd('/i/w=53/a.jpg')
    writeFileSync(join(folder, 'a.jpg'), await fixture({ format: 'jpeg', width: 100, height: 200 }))
    await expect
      .poll(async () => (await ask('/i/w=53/a.jpg')).headers.etag, { timeout: 1000, interval: 20 })
      .not.toBe(before.headers.etag)
    await crowd('/i/w=53/a.jpg')
    const decodes = await metric(service, 'sluice_decodes_total')
    await fetch(`${service.adminUrl}/cache`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    await ask('/i/w=53/a.jpg')
    expect(await metric(service, 'sluice_decodes_total')).toBe(decodes + 1)
  })

  test('keeps its signature: another one is refused, and so is one that has ended', async () => {
    await stopService(service)
    service = await startService({ SLUICE_ROOT: folder, SLUICE_CACHE_MEMORY: '32MB', SLUICE_KEYS: KEY })
    const signed = await signTarget('/i/w=54/a.jpg', { key: KEY, expires: Math.floor(Date.now() / 1000) + 2 })
    expect((await crowd(signed)).status).toBe(200)
    expect((await ask(`${signed.slice(0, -2)}AA`)).status).toBe(403)
    expect((await ask('/i/w=54/a.jpg')).status).toBe(403)
    await expect.poll(async () => (await ask(signed)).status, { timeout: 5000, interval: 30 }).toBe(403)
  })
})
