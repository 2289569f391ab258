import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** A service in a process of its own. */
export interface Spawned {
  readonly url: string
  readonly adminUrl: string
  readonly pid: number
  readonly child: ChildProcess
  /** Every line of its log so far. */
  readonly log: readonly string[]
  /** Resolves with the exit status or signal. */
  readonly exited: Promise<number | string | null>
  /** Ends it with SIGINT, which has no grace period. */
  stop(): Promise<number | string | null>
}

export interface SpawnServeOptions {
  /** Most files (and connections) the process may have open. */
  readonly openFiles?: number
}

/** Starts `sluice serve` on free ports and waits until it is ready. */
export async function spawnServe(
  env: Readonly<Record<string, string>> = {},
  { openFiles }: SpawnServeOptions = {},
): Promise<Spawned> {
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$0" "$@"`, process.execPath, entry, 'serve'], {
    env: {
      PATH: process.env.PATH,
      SLUICE_PORT: '0',
      SLUICE_ADMIN_PORT: '0',
      SLUICE_MEMORY_BUDGET: '512MB',
      // What one test has made must not be another one's answer.
      SLUICE_CACHE_DIR: 'off',
      SLUICE_CACHE_MEMORY: 'off',
      SLUICE_HTTP_SOURCES: 'off',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string | null)
  const log: string[] = []
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream })
  const found = await new Promise<{ url: string; adminUrl: string }>((resolve, reject) => {
    let urls: { url: string; adminUrl: string } | undefined
    void exited.then((status) => reject(new Error(`The service ended with ${status}`)))
    lines.on('line', (line) => {
      log.push(line)
      if (!line.startsWith('{')) return
      const entryLine = JSON.parse(line) as { msg: string; url: string; adminUrl: string }
      if (entryLine.msg === 'listening') urls = entryLine
      if (entryLine.msg === 'ready' && urls !== undefined) resolve(urls)
    })
  })
  const stop = () => {
    child.kill('SIGINT')
    return exited
  }
  return { ...found, pid: child.pid as number, child, log, exited, stop }
}

/** Processes below `pid`, all generations. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      parents.set(
        Number(name),
        Number(readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1]),
      )
    } catch {
      // It ended while the list was read.
    }
  }
  const found: number[] = []
  for (const queue = [pid]; queue.length > 0; ) {
    const current = queue.pop()
    for (const [child, parent] of parents) {
      if (parent !== current) continue
      found.push(child)
      queue.push(child)
    }
  }
  return found
}

/** Proportional memory of processes together, bytes. */
export function pssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return (
        sum +
        Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) * 1024
      )
    } catch {
      return sum
    }
  }, 0)
}
