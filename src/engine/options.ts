import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { z } from 'zod'

/** What the container or the host may use, bytes. */
export function availableMemory(): number {
  const limits = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'].map((path) => {
    try {
      return Number(readFileSync(path, 'latin1'))
    } catch {
      // No such control group here.
      return Number.NaN
    }
  })
  return Math.min(totalmem(), ...limits.filter((limit) => limit > 0))
}

export const engineOptions = z.strictObject({
  memoryBudgetBytes: z
    .int()
    .min(16_000_000)
    .default(() => Math.floor(availableMemory() / 2))
    .meta({ env: 'SLUICE_MEMORY_BUDGET', unit: 'bytes' })
    .describe('Memory that all concurrent work may use together.'),
  workers: z
    .int()
    .min(1)
    .max(256)
    .default(() => availableParallelism())
    .meta({ env: 'SLUICE_WORKERS', unit: 'processes' })
    .describe('Image worker processes; a spare and the probe processes come on top.'),
  sandbox: z
    .enum(['auto', 'required', 'off'])
    .default('auto')
    .meta({ env: 'SLUICE_SANDBOX' })
    .describe('Isolation of the workers by the kernel.'),
  queueSize: z
    .int()
    .min(0)
    .max(100_000)
    .default(64)
    .meta({ env: 'SLUICE_QUEUE_SIZE', unit: 'jobs' })
    .describe('Jobs that may wait.'),
  queueTimeoutMs: z
    .int()
    .min(1)
    .max(600_000)
    .default(5000)
    .meta({ env: 'SLUICE_QUEUE_TIMEOUT_MS', unit: 'ms' })
    .describe('Longest wait for room.'),
  timeoutMs: z
    .int()
    .min(100)
    .max(600_000)
    .default(15_000)
    .meta({ env: 'SLUICE_TIMEOUT_MS', unit: 'ms' })
    .describe('The whole request from its last body byte, waiting included.'),
  recycleAfterJobs: z
    .int()
    .min(1)
    .default(500)
    .meta({ env: 'SLUICE_RECYCLE_AFTER_JOBS', unit: 'jobs' })
    .describe('Jobs after which a worker process is replaced.'),
})

export type EngineOptions = z.infer<typeof engineOptions>
