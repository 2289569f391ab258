import type { FastifyInstance } from 'fastify'
import type { Engine } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { ServerDependencies } from './dependencies.ts'
import { noStore } from './headers.ts'

const READY_CACHE_MS = 5000

/** `/healthz`: the process answers. `/readyz`: a picture was decoded and encoded not long ago. */
export function addHealth(app: FastifyInstance, { engine, service, draining }: ServerDependencies): void {
  app.get('/healthz', (request, reply) => {
    request.outcome.route = 'health'
    return noStore(reply).send({ status: 'ok' })
  })
  let tested: { at: number; ok: boolean } | undefined
  app.get('/readyz', async (request, reply) => {
    request.outcome.route = 'health'
    const status = engine.status()
    if (
      status.ready &&
      !draining() &&
      (tested === undefined || performance.now() - tested.at > READY_CACHE_MS)
    ) {
      tested = { at: performance.now(), ok: await passes(engine) }
    }
    const ready = status.ready && !draining() && tested?.ok === true
    const details = {
      sandbox: status.sandbox,
      versions: status.versions,
      formats: [...service.formats],
      workers: status.workers,
      memory: { budgetBytes: status.budgetBytes, committedBytes: status.committedBytes },
      queueDepth: status.queueDepth,
    }
    return noStore(reply)
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : draining() ? 'draining' : 'not ready', ...details })
  })
}

async function passes(engine: Engine): Promise<boolean> {
  try {
    await engine.selfTest({
      signal: AbortSignal.timeout(5000),
      deadlineAt: performance.now() + 5000,
      client: 'readyz',
    })
    return true
  } catch (error) {
    // Busy is not broken: while all workers are at work, real jobs are the test.
    return error instanceof SluiceError
      ? error.code === 'overloaded'
      : (error as Error).name === 'TimeoutError'
  }
}
