import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { createEngine, type Engine, engineOptions } from '../../src/engine/index.ts'
import { Strikes } from '../../src/engine/strikes.ts'
import { entryPath } from '../../src/engine/worker-process.ts'
import type { SluiceError } from '../../src/errors/index.ts'
import { createPlan, limitsOptions, normalize, type Plan } from '../../src/recipe/index.ts'
import { silentTelemetry } from '../../src/telemetry/index.ts'
import { probeImage } from '../../src/worker/probe-image.ts'
import { fixture } from '../helpers/fixtures.ts'
import { descendants } from '../helpers/spawn-serve.ts'

const hostile = fileURLToPath(new URL('./workers/hostile-worker.ts', import.meta.url))
const source = await fixture({ format: 'png' })
const probe = await probeImage(source, 'png')
/** As in `hostile-worker.ts`: what the worker takes as its cue. */
const HOSTILE = 66
const HONEST = 50

const planOf = (width: number): Plan =>
  createPlan({
    recipe: normalize({ stages: [{ steps: [{ op: 'resize', width }] }], output: { format: 'png' } }),
    probe,
    limits: limitsOptions.parse({}),
  })

let engine: Engine
let counts: Map<string, number>
let client = 0

/** The real engine over workers that do `misdeed`. */
async function start(misdeed: string, options: Record<string, unknown> = {}): Promise<void> {
  counts = new Map()
  engine = createEngine(
    engineOptions.parse({ memoryBudgetBytes: 256_000_000, workers: 1, sandbox: 'off', ...options }),
    {
      ...silentTelemetry,
      count(name, labels = {}, by = 1) {
        const key = [name, ...Object.values(labels)].join(' ')
        counts.set(key, (counts.get(key) ?? 0) + by)
      },
    },
    {
      unavailable: 'a test',
      command: (kind) =>
        kind === 'probe'
          ? [process.execPath, '--no-warnings', entryPath('probe')]
          : [process.execPath, '--no-warnings', hostile, misdeed],
    },
  )
  await engine.start(new AbortController().signal)
}
afterEach(() => engine?.close())

/** Code of the problem, or how many bytes came. */
async function render(
  width: number,
  { key = `input ${++client}`, from = `${client}`, timeoutMs = 15_000 } = {},
): Promise<string> {
  const bytes = Buffer.from(source)
  const body = {
    chunks: [bytes],
    bytes: bytes.length,
    sha256: createHash('sha256').update(key).digest('hex'),
    release() {},
  }
  try {
    const rendered = await engine.render(planOf(width), [body], {
      signal: new AbortController().signal,
      deadlineAt: performance.now() + timeoutMs,
      client: from,
    })
    rendered.release()
    return `${rendered.facts.size.width} px`
  } catch (error) {
    return `${(error as SluiceError).status()} ${(error as SluiceError).code}`
  }
}
const restarts = (reason: string) => counts.get(`sluice_worker_restarts_total ${reason}`) ?? 0
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const rss = (pid: number) => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096
  } catch {
    return 0
  }
}
/** CPU time of all children of this process that have ended, ms. */
const deadChildrenCpuMs = () => {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[13]) + Number(fields[14])) * 10
}

describe('a worker that breaks the protocol', () => {
  test.for([
    'a frame that ends too early',
    'a header that ends too early',
    'more bytes than announced',
    'two answers',
    'two payloads',
    'no payload',
    'a payload of 4 GB',
    'a negative length',
    'a header of 4 GB',
    'an empty header',
    'a header that is no JSON',
    'the id of another job',
    'HTML instead of a picture',
    'a picture of another format',
    'a picture of another size',
    'a render without facts',
    'the answer to another question',
    'a kind that is not known',
    'an error that is not known',
    'a second greeting',
  ])('[D-13] %s: 502, that worker ends, and the jobs around it are served', async (misdeed) => {
    await start(misdeed)
    // One worker: the job behind waits for the place of the hostile one.
    const [first, bad, behind] = await Promise.all([render(HONEST), render(HOSTILE), render(HONEST)])
    expect([first, bad, behind]).toEqual(['50 px', '502 worker-protocol', '50 px'])
    await expect.poll(() => restarts('protocol')).toBe(1)
    // It was not taken for a crash of the input, and the same question is asked of another worker.
    expect(await render(HOSTILE)).toBe('502 worker-protocol')
    await expect.poll(() => restarts('protocol')).toBe(2)
    expect(engine.status().committedBytes).toBe(0)
  })
})

describe('a worker that misbehaves in a job', () => {
  test('[D-09] takes memory without end: killed below 600 MB, 422, and the server itself takes nothing', async () => {
    await start('allocate')
    await render(HONEST)
    const own = rss(process.pid)
    let highest = 0
    let running = true
    const watch = (async () => {
      while (running) {
        highest = Math.max(highest, ...descendants(process.pid).map(rss))
        await sleep(5)
      }
    })()
    const answers = [await render(HOSTILE), await render(HOSTILE), await render(HONEST)]
    running = false
    await watch
    expect(answers).toEqual(['422 decoder-crashed', '422 decoder-crashed', '50 px'])
    expect(restarts('memory')).toBe(2)
    expect(highest).toBeGreaterThan(100_000_000)
    expect(highest).toBeLessThan(600_000_000)
    expect(rss(process.pid) - own).toBeLessThan(20_000_000)
  })

  test('[D-11] 60 crashing inputs within 3 s: replacements use at most half a core, another client is served', async () => {
    await start('abort', { workers: 2, queueTimeoutMs: 3000 })
    const startedAt = performance.now()
    const cpuBefore = deadChildrenCpuMs()
    const attacks: Promise<string>[] = []
    const probes: Promise<string>[] = []
    for (let i = 0; i < 60; i++) {
      attacks.push(render(HOSTILE, { key: `crash ${i}`, from: 'attacker' }))
      if (i % 20 === 10) probes.push(render(HONEST, { from: 'visitor' }))
      await sleep(50)
    }
    const answers = await Promise.all(attacks)
    const seconds = (performance.now() - startedAt) / 1000
    const cpuMs = deadChildrenCpuMs() - cpuBefore
    expect(new Set(answers)).toEqual(new Set(['422 decoder-crashed', '503 overloaded']))
    expect(await Promise.all(probes)).toEqual(['50 px', '50 px', '50 px'])
    // 10/s at most whatever a start costs; the first ones, which find their replacement warm, come on top.
    expect(restarts('crash')).toBeLessThanOrEqual(10 * seconds + 3)
    expect(restarts('crash')).toBeGreaterThan(3)
    // Three processes were warm before, two replacements are free at once: what they cost is not the attack's.
    const cpuOfOne = cpuMs / restarts('crash')
    expect(cpuMs - 5 * cpuOfOne).toBeLessThan(500 * seconds)
    expect(await render(HONEST, { from: 'visitor' })).toBe('50 px')
  })

  test('[D-12] the third time a crashing input is refused within 10 ms, without a worker; others are not', async () => {
    await start('abort')
    expect(await render(HOSTILE, { key: 'poison' })).toBe('422 decoder-crashed')
    expect(await render(HOSTILE, { key: 'poison' })).toBe('422 decoder-crashed')
    const decodes = counts.get('sluice_decodes_total')
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const at = performance.now()
      expect(await render(HOSTILE, { key: 'poison' })).toBe('422 decoder-crashed')
      times.push(performance.now() - at)
    }
    expect(Math.min(...times)).toBeLessThan(10)
    expect(counts.get('sluice_decodes_total')).toBe(decodes)
    expect(restarts('crash')).toBe(2)
    expect(await render(HONEST, { key: 'another' })).toBe('50 px')
  })

  test('[D-15] a GLib CRITICAL, even torn in two: 422, the worker ends, a counter rises', async () => {
    await start('critical message')
    for (let i = 0; i < 5; i++) expect(await render(HOSTILE)).toBe('422 image-broken')
    await expect.poll(() => restarts('stderr')).toBe(5)
    expect(counts.get('sluice_strikes_total')).toBe(5)
    expect(await render(HONEST)).toBe('50 px')
  })

  test('[D-15] 100 MB on stderr neither block the job nor stay in the server', async () => {
    await start('stderr flood')
    await render(HONEST)
    global.gc?.()
    const before = rss(process.pid)
    expect(await render(HOSTILE)).toBe('66 px')
    expect(rss(process.pid) - before).toBeLessThan(50_000_000)
    expect(await render(HONEST)).toBe('50 px')
  })
})

describe('Strikes', () => {
  test('[D-12] two deaths refuse an input for an hour; deaths an hour apart do not add up', () => {
    let now = 0
    const strikes = new Strikes(() => now)
    const hour = 3_600_000
    strikes.add('a')
    expect(strikes.refuses(() => 'a')).toBe(false)
    strikes.add('a')
    expect(strikes.refuses(() => 'a')).toBe(true)
    now = hour - 1
    expect(strikes.refuses(() => 'a')).toBe(true)
    now = hour + 1
    expect(strikes.refuses(() => 'a')).toBe(false)
    strikes.add('b')
    now += hour + 1
    strikes.add('b')
    expect(strikes.refuses(() => 'b')).toBe(false)
  })

  test('[D-12] the list is bounded to 10,000 inputs: the one seen longest ago is forgotten', () => {
    const strikes = new Strikes(() => 0)
    const strikeOut = (key: string) => {
      strikes.add(key)
      strikes.add(key)
    }
    for (let i = 0; i < 10_000; i++) strikeOut(`input ${i}`)
    expect(strikes.refuses(() => 'input 0')).toBe(true)
    strikeOut('one more')
    expect(strikes.refuses(() => 'input 0')).toBe(false)
    expect(strikes.refuses(() => 'input 1')).toBe(true)
    expect(strikes.refuses(() => 'one more')).toBe(true)
  })
})
