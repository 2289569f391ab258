import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { descendants, spawnServe } from '../helpers/spawn-serve.ts'

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const preload = (name: string) => ({ NODE_OPTIONS: `--import=${pathOf(`./workers/${name}.ts`)}` })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
/** Takes a worker about a second. */
const SLOW = 'w=1600,format=avif,effort=4/lake.jpg'
/** Arguments of the processes below, to tell image workers from the one that reads headers. */
const imageWorkers = (pid: number) =>
  descendants(pid).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('worker.ts'))

const lake = readFileSync(pathOf('../../samples/lake.jpg'))

async function status(url: string): Promise<number> {
  const answer = await fetch(url)
  await answer.arrayBuffer()
  return answer.status
}

describe.skipIf(process.platform !== 'linux')('a kernel without Landlock', () => {
  const start = (sandbox: string) =>
    spawn(
      process.execPath,
      [
        '--no-warnings',
        pathOf('./workers/without-landlock.ts'),
        process.execPath,
        pathOf('../../src/cli/main.ts'),
        'serve',
      ],
      {
        env: {
          PATH: process.env.PATH,
          SLUICE_PORT: '0',
          SLUICE_ADMIN_PORT: '0',
          SLUICE_MEMORY_BUDGET: '256MB',
          SLUICE_WORKERS: '2',
          SLUICE_SANDBOX: sandbox,
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )

  test('[D-07] SLUICE_SANDBOX=required ends the start with 78 and one line, and serves nothing before', async () => {
    const child = start('required')
    const lines: string[] = []
    const answers: Promise<number>[] = []
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (!line.startsWith('{')) {
        lines.push(line)
        return
      }
      const { msg, url } = JSON.parse(line) as { msg: string; url: string }
      // Workers that are up, but not as isolated as asked for, must not get work.
      if (msg === 'listening')
        for (let i = 0; i < 4; i++) answers.push(status(`${url}/i/w=4${i}/lake.jpg`).catch(() => 0))
    })
    const startedAt = performance.now()
    const [code] = await once(child, 'close')
    expect(code).toBe(78)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(lines).toEqual([
      'sluice: Cannot start with SLUICE_SANDBOX=required: landlock: the kernel does not offer it',
    ])
    expect(answers).toHaveLength(4)
    expect(await Promise.all(answers)).not.toContain(200)
  })

  test('[D-07] SLUICE_SANDBOX=auto starts, and /readyz and the log say what is missing', async () => {
    const child = start('auto')
    const ready = await new Promise<{ url: string; missing: string }>((resolve) => {
      let url = ''
      createInterface({ input: child.stderr }).on('line', (line) => {
        const entry = JSON.parse(line) as { msg: string; url: string; missing: string }
        if (entry.msg === 'listening') url = entry.url
        if (entry.msg === 'ready') resolve({ url, missing: entry.missing })
      })
    })
    const answer = await fetch(`${ready.url}/readyz`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      sandbox: { level: 'seccomp+rlimits', missing: 'landlock: the kernel does not offer it' },
    })
    expect(ready.missing).toBe('landlock: the kernel does not offer it')
    child.kill('SIGINT')
    await once(child, 'exit')
  })
})

describe('a defect in the server', () => {
  test.for(['uncaughtException', 'unhandledRejection'] as const)(
    '[X-06] %s: one line in the log, what runs is answered, exit 1 within 5 s',
    async (event) => {
      const service = await spawnServe({
        ...preload('fail-on-signal'),
        DEFECT: event === 'unhandledRejection' ? 'rejection' : 'exception',
      })
      let log = ''
      service.child.stderr?.on('data', (chunk) => {
        log += chunk
      })
      const running = status(`${service.url}/i/${SLOW}`)
      await sleep(200)
      const startedAt = performance.now()
      service.child.kill('SIGUSR2')
      expect(await running).toBe(200)
      expect(await service.exited).toBe(1)
      expect(performance.now() - startedAt).toBeLessThan(5000)
      const lines = log.split('\n').filter((line) => line.includes('a defect on demand'))
      expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([event])
    },
  )

  test('[X-06] a client that never ends its upload does not hold the exit', async () => {
    const service = await spawnServe(preload('fail-on-signal'))
    const sent = request(`${service.url}/upload`, {
      method: 'POST',
      headers: { 'content-type': 'image/jpeg', 'content-length': lake.length },
    })
    sent.on('error', () => undefined)
    let at = 0
    const drip = setInterval(() => {
      sent.write(lake.subarray(at, at + 4000))
      at += 4000
    }, 100)
    await sleep(300)
    const startedAt = performance.now()
    service.child.kill('SIGUSR2')
    expect(await service.exited).toBe(1)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    clearInterval(drip)
    sent.destroy()
  })
})

describe('time that stands still or jumps', () => {
  test('[X-07] the server is stopped for 3 s: what ran ends, the next request is answered within 2 s', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '2' })
    const running = Promise.all(
      ['w=300/lake.jpg', 'w=301/lake.jpg', SLOW].map((path) => status(`${service.url}/i/${path}`)),
    )
    await sleep(100)
    service.child.kill('SIGSTOP')
    await sleep(3000)
    service.child.kill('SIGCONT')
    const startedAt = performance.now()
    expect(await status(`${service.url}/i/w=302/lake.jpg`)).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect(await running).toHaveLength(3)
    const { workers, memory } = (await (await fetch(`${service.url}/readyz`)).json()) as {
      workers: { busy: number }
      memory: { committedBytes: number }
    }
    expect([workers.busy, memory.committedBytes]).toEqual([0, 0])
    await service.stop()
  })

  test('[X-07] all image workers are stopped for 3 s: their jobs go on and end well', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '2' })
    const workers = imageWorkers(service.pid)
    expect(workers.length).toBeGreaterThanOrEqual(2)
    const running = Promise.all([0, 1].map((i) => status(`${service.url}/i/q=${70 + i},${SLOW}`)))
    await sleep(200)
    for (const pid of workers) process.kill(pid, 'SIGSTOP')
    await sleep(3000)
    for (const pid of workers) process.kill(pid, 'SIGCONT')
    expect(await running).toEqual([200, 200])
    expect(await status(`${service.url}/i/w=90/lake.jpg`)).toBe(200)
    // Nobody was replaced.
    expect(imageWorkers(service.pid).toSorted()).toEqual(workers.toSorted())
    await service.stop()
  })

  test('[X-07] image workers stopped for good: 504 at the deadline, others take their places', async () => {
    const service = await spawnServe({ SLUICE_WORKERS: '2', SLUICE_TIMEOUT_MS: '2000' })
    const workers = imageWorkers(service.pid)
    for (const pid of workers) process.kill(pid, 'SIGSTOP')
    const lost = await Promise.all(workers.map((_, i) => status(`${service.url}/i/w=${100 + i}/lake.jpg`)))
    expect(new Set(lost)).toEqual(new Set([504, 503]))
    await expect
      .poll(() => status(`${service.url}/i/w=90/lake.jpg`), { timeout: 5000, interval: 200 })
      .toBe(200)
    await service.stop()
  })

  test('[X-07] the wall clock jumps an hour ahead and two back: a running job and the next ones end well', async () => {
    const service = await spawnServe({ ...preload('jump-clock'), SLUICE_WORKERS: '2' })
    let log = ''
    service.child.stderr?.on('data', (chunk) => {
      log += chunk
    })
    const running = status(`${service.url}/i/${SLOW}`)
    const held = status(`${service.url}/i/q=71,${SLOW}`)
    for (let i = 0; i < 2; i++) {
      await sleep(200)
      service.child.kill('SIGUSR2')
      expect(await status(`${service.url}/i/w=${90 + i}/lake.jpg`)).toBe(200)
    }
    expect(await Promise.all([running, held])).toEqual([200, 200])
    // It has jumped: the log is written in its time, and may come a little after the answers.
    const ahead = () =>
      log
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { time: number }).time - Date.now())
    await expect.poll(() => Math.max(...ahead()), { timeout: 5000 }).toBeGreaterThan(3_000_000)
    await expect.poll(() => Math.min(...ahead()), { timeout: 5000 }).toBeLessThan(-3_000_000)
    await service.stop()
  })
})
