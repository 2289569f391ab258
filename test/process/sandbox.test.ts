import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandbox } from '../../src/engine/sandbox.ts'
import { WorkerExit, WorkerProcess } from '../../src/engine/worker-process.ts'

const linux = process.platform === 'linux'
const evil = fileURLToPath(new URL('../../src/engine/testing/evil-worker.ts', import.meta.url))

/** The launcher's own command with another script at the end. */
function start(): WorkerProcess {
  const command = createSandbox('required', 100_000_000).command('worker').slice(0, -1)
  return new WorkerProcess({ kind: 'worker', command: [...command, evil], maxPayloadBytes: 1000 })
}

describe.skipIf(!linux)('a sandboxed worker', () => {
  let worker: WorkerProcess
  let id = 0
  const canary = createServer()
  let connections = 0
  let port = 0

  beforeAll(async () => {
    process.env.SECRET_CANARY = 'do-not-leak'
    canary.on('connection', (socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
    port = (canary.address() as { port: number }).port
    worker = start()
    await worker.ready
  })
  afterAll(async () => {
    worker.kill('shutdown')
    await worker.exited
    canary.close()
  })

  const attempt = async (name: string, argument: unknown = ''): Promise<string> => {
    const request = { kind: 'render', id: ++id, attempt: name, argument: String(argument), payloads: [] }
    const { answer } = await worker.run(request as never, [])
    return answer.kind === 'error' ? answer.detail : 'no report'
  }

  test('reports the whole level', () => {
    expect(worker.sandbox).toEqual({ level: 'landlock+seccomp+rlimits' })
  })

  test.for([
    ['/etc/passwd'],
    ['/proc/1/environ'],
    [`/proc/${process.pid}/environ`],
    [`${process.cwd()}/README.md`],
    ['/etc/hostname'],
  ])('[D-02] cannot read %s', async ([path]) => {
    expect(await attempt('read', path)).toMatch(/^refused: (EACCES|ENOENT|EPERM)$/)
  })

  test.for([[tmpdir()], ['/dev/shm'], [process.cwd()]])('[D-03] cannot write into %s', async ([folder]) => {
    expect(await attempt('write', `${folder}/sluice-evil`)).toMatch(/^refused: (EACCES|EPERM)$/)
  })

  test('[D-04] has no network', async () => {
    expect(await attempt('tcp', port)).toMatch(/^refused: (EACCES|EPERM)/)
    expect(await attempt('udp', port)).toMatch(/^refused: (EACCES|EPERM)/)
    expect(await attempt('unix', '/run/none.sock')).toMatch(/^refused: (EACCES|EPERM)/)
    expect(connections).toBe(0)
  })

  test('[D-05] cannot start processes or signal others', async () => {
    expect(await attempt('exec', '/bin/true')).toMatch(/^refused: (EACCES|EPERM)/)
    expect(await attempt('kill', process.pid)).toMatch(/^refused: EPERM/)
  })

  test('[D-06] holds no secrets in its environment', async () => {
    expect(await attempt('environment')).toBe(
      'MALLOC_ARENA_MAX MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_ NODE_ENV OPENSSL_CONF UV_THREADPOOL_SIZE VIPS_BLOCK_UNTRUSTED VIPS_CONCURRENCY',
    )
  })

  test('[D-08] a hang ends with a kill', async () => {
    const hanging = start()
    await hanging.ready
    const running = hanging.run(
      { kind: 'render', id: 1, attempt: 'hang', argument: '', payloads: [] } as never,
      [],
    )
    setTimeout(() => hanging.kill('deadline'), 50)
    await expect(running).rejects.toBeInstanceOf(WorkerExit)
    expect((await hanging.exited).killed).toBe('deadline')
  })

  test('[D-10] a crash is an exit with its signal', async () => {
    const crashing = start()
    await crashing.ready
    await expect(
      crashing.run({ kind: 'render', id: 1, attempt: 'abort', argument: '', payloads: [] } as never, []),
    ).rejects.toBeInstanceOf(WorkerExit)
    expect((await crashing.exited).signal).toBe('SIGABRT')
  })
})
