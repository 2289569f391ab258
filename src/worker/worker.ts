import { runPlan } from './run-plan.ts'
import { peakBytes, serve } from './serve.ts'

// Entry of an image worker: runs plans on bytes that come over the socket, holds nothing else.
await serve(async (request, payloads) => {
  if (request.kind !== 'render') throw new Error(`An image worker cannot ${request.kind}`)
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  const made = await runPlan(request.plan, payloads)
  const { user, system } = process.cpuUsage(cpu)
  const result = {
    format: request.plan.output.format,
    size: { width: made.width, height: made.height },
    frames: made.frames,
    totalMs: performance.now() - startedAt,
    peakBytes: peakBytes(),
    cpuMs: (user + system) / 1000,
  }
  return {
    answer: { kind: 'render', id: request.id, result, payloads: [made.data.length] },
    payload: made.data,
  }
})
