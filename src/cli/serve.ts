import { startSluice } from '../main.ts'
import { configOf } from './config-of.ts'

/** After a defect nothing may be trusted for long: what runs has this time to end, ms. */
const DEFECT_TIMEOUT_MS = 4000

/** `sluice serve`: runs until a signal ends it. @returns The exit status. */
export async function serve(flags: Readonly<Record<string, string>>): Promise<number> {
  const { config } = configOf(flags)
  const running = await startSluice(config)
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  let stopping = false
  const stop = (status: number, limits: { graceMs?: number; timeoutMs?: number } = {}) => {
    if (stopping) {
      // Asked twice: nobody waits any longer. Workers follow their parent by the death signal.
      void running.engine.close().finally(() => process.exit(status))
      setTimeout(() => process.exit(status), 900).unref()
      return
    }
    stopping = true
    running.close(limits).then(
      () => end(status),
      (error: unknown) => {
        running.telemetry.log('error', 'the shutdown failed', { error: String(error) })
        end(1)
      },
    )
  }
  process.on('SIGTERM', () => stop(0))
  process.on('SIGINT', () => stop(0, { graceMs: 0 }))
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      running.telemetry.log('error', event, { error: String((error as Error)?.stack ?? error) })
      stop(1, { graceMs: 0, timeoutMs: DEFECT_TIMEOUT_MS })
    })
  }
  running.ready.catch((error: unknown) => {
    if (stopping) return
    const { code, message } = error as Error & { code?: string }
    process.stderr.write(`sluice: ${message}\n`)
    // Nothing can be served any more: whoever waits for a worker waits for nothing.
    stop(code === 'config-invalid' ? 78 : 1, { graceMs: 0, timeoutMs: 0 })
  })
  const status = await ended
  process.exit(status)
}
