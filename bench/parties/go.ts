import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { overHttp } from '../load.ts'
import type { Party, StartOptions } from '../party.ts'
import { startServer } from '../processes.ts'

const source = fileURLToPath(new URL('../go/upload.go', import.meta.url))

/** The upload handler that a Go programmer writes with the standard library in ten minutes. */
export async function startGo({ scratch }: StartOptions): Promise<Party | string> {
  const found = spawnSync('go', ['version'], { encoding: 'utf8' })
  if (found.error !== undefined) return 'Go is not installed'
  const program = join(scratch, 'upload')
  const built = spawnSync('go', ['build', '-o', program, source], {
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=mod', GOCACHE: join(scratch, 'cache') },
  })
  if (built.status !== 0) return `Go could not build the handler: ${built.stderr.slice(0, 200)}`
  const server = await startServer((port) => [program, String(port)])
  return {
    name: 'Go standard library',
    version: /go([\d.]+)/.exec(found.stdout)?.[1] ?? '',
    pids: server.pids,
    refuses: ({ kind }) => (kind === 'upload' ? undefined : 'takes uploads only'),
    ...overHttp(() => `${server.url}/upload`),
    stop: server.stop,
  }
}
