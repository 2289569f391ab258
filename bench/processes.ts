import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendants, pssOf } from '../test/helpers/spawn-serve.ts'
import { ask } from './load.ts'

export interface Server {
  readonly url: string
  pids(): readonly number[]
  stop(): Promise<void>
}

/** Starts a server on a free port and waits for its first answer of any kind. */
export async function startServer(
  command: (port: number) => readonly string[],
  { env = {}, path = '/' }: { readonly env?: Readonly<Record<string, string>>; readonly path?: string } = {},
): Promise<Server> {
  const port = await freePort()
  const [program, ...args] = command(port) as [string, ...string[]]
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, HOME: '/tmp', ...env },
    stdio: 'ignore',
  })
  const url = `http://127.0.0.1:${port}`
  await answering(child, url + path)
  return {
    url,
    pids: () => [child.pid as number, ...descendants(child.pid as number)],
    stop: async () => {
      child.kill('SIGINT')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`)
    const status = await ask(url).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status !== 0 && status !== 503) return
    await sleep(10)
  }
  throw new Error(`${child.spawnfile} does not answer`)
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/** Proportional memory of a party, bytes: now, and its highest while `work` runs. */
export async function watchMemory<T>(
  pids: () => readonly number[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly peakBytes: number }> {
  let peakBytes = pssOf(pids())
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, pssOf(pids()))
  }, 100)
  try {
    const result = await work()
    return { result, peakBytes }
  } finally {
    clearInterval(timer)
  }
}
