import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findNode, isFit, OLDEST_NODE } from '../../bin/find-node.mjs'
import { descendants } from '../helpers/spawn-serve.ts'

const bin = (name: string) => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))
/** Makes this Node pass for an old one, so that the way over another Node is taken on every machine. */
const PRETEND_OLD = [
  '--import',
  `data:text/javascript,Object.defineProperty(process,'version',{value:'v20.20.2'})`,
]
const settings = {
  SLUICE_PORT: '0',
  SLUICE_ADMIN_PORT: '0',
  SLUICE_MEMORY_BUDGET: '256MB',
  SLUICE_WORKERS: '1',
}

describe('isFit()', () => {
  test.for([
    ['v18.0.0', false],
    ['v20.20.2', false],
    ['v22.18.9', false],
    [`v${OLDEST_NODE}`, true],
    ['22.20.0', true],
    ['v24.0.0', true],
    ['v100.1.0', true],
  ] as const)('%s: %s', ([version, fit]) => {
    expect(isFit(version)).toBe(fit)
  })
})

describe('the launchers', () => {
  test('hand over to the Node that came with the package when this one is too old', () => {
    // Without optional dependencies there is none, and the one line below is what a stranger sees.
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      ...PRETEND_OLD,
      bin('sluice.mjs'),
      '--version',
    ])
    if (findNode() === undefined) {
      expect(stderr.toString()).toMatch(/^sluice: Node .* is needed.*\n$/)
      expect(status).toBe(1)
    } else {
      expect([status, stdout.toString(), stderr.toString()]).toEqual([
        0,
        expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
        '',
      ])
    }
  })

  test('pass standard streams and the exit status through', () => {
    const { status, stderr } = spawnSync(process.execPath, [
      ...PRETEND_OLD,
      bin('start.mjs'),
      '--port',
      'http',
    ])
    expect(status).toBe(78)
    expect(stderr.toString()).toMatch(/^sluice: SLUICE_PORT: [^\n]*\n$/)
  })

  test('pass SIGTERM on, and the service ends with 0', async () => {
    const { child, workers } = await start({ SLUICE_SHUTDOWN_GRACE_MS: '0' })
    child.kill('SIGTERM')
    const [status] = (await once(child, 'exit')) as [number]
    expect(status).toBe(0)
    expect(running(workers)).toEqual([])
  })

  test('[X-02] leave no process behind when they are killed with -9', async () => {
    const { child, workers } = await start({ SLUICE_SHUTDOWN_GRACE_MS: '0' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const until = Date.now() + 5000
    while (running(workers).length > 0 && Date.now() < until)
      await new Promise((wake) => setTimeout(wake, 50))
    expect(running(workers)).toEqual([])
  })
})

async function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [...PRETEND_OLD, bin('start.mjs')], {
    env: { PATH: process.env.PATH, ...settings, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (status) => reject(new Error(`The service ended with ${status}`)))
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (line.includes('"msg":"ready"')) resolve()
    })
  })
  const workers = descendants(child.pid as number)
  // The other Node, a worker with its spare, a probe process with its spare.
  expect(workers.length).toBeGreaterThanOrEqual(5)
  return { child, workers }
}

/** Those that still run; one that only waits to be reaped has ended. */
function running(pids: readonly number[]): readonly number[] {
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] !== 'Z'
    } catch {
      return false
    }
  })
}
