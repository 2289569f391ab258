import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { type Spawned, spawnServe } from '../helpers/spawn-serve.ts'

/** More than the sockets of both sides take. */
const RESULT_BYTES = 35_000_000

const residentBytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024

async function open(service: Spawned): Promise<Socket> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** What came until the other side closed, and when that was, ms. */
async function untilClosed(socket: Socket): Promise<{ text: string; afterMs: number }> {
  const startedAt = performance.now()
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  await once(socket, 'close')
  return { text, afterMs: performance.now() - startedAt }
}

/** Sends a byte a second until the socket is closed. */
function drip(socket: Socket): void {
  const timer = setInterval(() => socket.write('a'), 1000)
  socket.once('close', () => clearInterval(timer))
}

describe.skipIf(process.platform !== 'linux').concurrent('clients that take their time', () => {
  test('[O-09] headers of a byte a second are cut at 10 s, bodies at 5 s, both with 408', {
    timeout: 40_000,
  }, async ({ expect }) => {
    const service = await spawnServe()
    const headers = await Promise.all(Array.from({ length: 100 }, () => open(service)))
    const bodies = await Promise.all(Array.from({ length: 20 }, () => open(service)))
    const cutHeaders = Promise.all(headers.map(untilClosed))
    const cutBodies = Promise.all(bodies.map(untilClosed))
    for (const socket of headers) {
      socket.write('GET /i/w=10/lake.jpg HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
      drip(socket)
    }
    for (const socket of bodies) {
      socket.write(
        'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n',
      )
      drip(socket)
    }
    const during = []
    for (let i = 0; i < 10; i++) {
      await sleep(500)
      const sentAt = performance.now()
      const { status } = await fetch(`${service.url}/i/w=${20 + i}/lake.jpg`)
      during.push({ status, ms: performance.now() - sentAt })
    }
    expect(during.map(({ status }) => status)).toEqual(during.map(() => 200))
    for (const { text, afterMs } of await cutBodies) {
      expect(text).toMatch(/^HTTP\/1\.1 408 /)
      expect(afterMs).toBeLessThan(9000)
    }
    for (const { text, afterMs } of await cutHeaders) {
      expect(text).toMatch(/^HTTP\/1\.1 408 /)
      expect(afterMs).toBeGreaterThan(9000)
      expect(afterMs).toBeLessThan(14_000)
    }
    await service.stop()
  })

  test('[O-10] readers that stop hold no memory beyond their results and are cut after 30 s', {
    timeout: 90_000,
  }, async ({ expect }) => {
    const service = await spawnServe({
      SLUICE_MEMORY_BUDGET: '512MB',
      SLUICE_QUEUE_TIMEOUT_MS: '30000',
      SLUICE_TIMEOUT_MS: '60000',
    })
    expect((await fetch(`${service.url}/i/format=png/lake.jpg`)).status).toBe(200)
    const before = residentBytes(service.pid)
    const committed = async () => {
      const page = await (await fetch(`${service.adminUrl}/metrics`)).text()
      return Number(/^sluice_memory_committed_bytes (\d+)/m.exec(page)?.[1])
    }
    const readers = await Promise.all(Array.from({ length: 6 }, () => open(service)))
    const closed = Promise.all(readers.map((socket) => once(socket, 'close')))
    for (const [i, socket] of readers.entries()) {
      socket.pause()
      socket.write(
        `GET /i/w=${4500 + i},up=true,effort=1,format=png/lake.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      )
    }
    await expect.poll(committed, { timeout: 20_000 }).toBeGreaterThan(0)
    await sleep(15_000)
    expect(await committed()).toBeGreaterThan(0)
    expect(residentBytes(service.pid) - before).toBeLessThan(64 * 1024 * 1024 + readers.length * RESULT_BYTES)
    await expect.poll(committed, { timeout: 45_000, interval: 500 }).toBe(0)
    for (const socket of readers) socket.resume()
    await closed
    expect((await fetch(`${service.url}/i/w=30/lake.jpg`)).status).toBe(200)
    await service.stop()
  })

  test('[O-11] a thousand idle connections with 256 files: health answers, and all is well when they leave', {
    timeout: 60_000,
  }, async ({ expect }) => {
    const service = await spawnServe({}, { openFiles: 256 })
    const idle: Socket[] = []
    for (let i = 0; i < 1000; i++) {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
      socket.on('error', () => undefined)
      idle.push(socket)
    }
    await sleep(1000)
    const askedAt = performance.now()
    expect((await fetch(`${service.adminUrl}/healthz`)).status).toBe(200)
    expect(performance.now() - askedAt).toBeLessThan(1000)
    for (const socket of idle) socket.destroy()
    await expect
      .poll(
        () =>
          fetch(`${service.url}/i/w=40/lake.jpg`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(200)
    await service.stop()
  })
})
