import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { descendants, pssOf } from '../test/helpers/spawn-serve.ts'
import { ask } from './load.ts'
import { freePort } from './processes.ts'

/** From the start of the process to its answers, ms, and what it holds when it has nothing to do, bytes. */
export interface Start {
  readonly healthyMs: number
  readonly readyMs: number
  readonly firstPictureMs: number
  readonly idleBytes: number
}

const entry = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

/** Starts the service on its embedded defaults, waits for `/healthz`, `/readyz` and a picture, and ends it. */
export async function measureStart(): Promise<Start> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = spawn(process.execPath, [entry, 'serve', '--port', String(port), '--admin-port', 'off'], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH },
  })
  const until = async (path: string): Promise<number> => {
    for (;;) {
      const status = await ask(`http://127.0.0.1:${port}${path}`).then(
        (answer) => answer.status,
        () => 0,
      )
      if (status === 200) return performance.now() - startedAt
      if (child.exitCode !== null) throw new Error(`The service ended with ${child.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const healthyMs = await until('/healthz')
  const firstPictureMs = await until('/i/w=400/lake.jpg')
  const readyMs = await until('/readyz')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const idleBytes = pssOf([child.pid as number, ...descendants(child.pid as number)])
  child.kill('SIGINT')
  await once(child, 'exit')
  return { healthyMs, readyMs, firstPictureMs, idleBytes }
}
