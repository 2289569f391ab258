import { loadConfig } from '../../src/config/index.ts'
import { type Running, startSluice } from '../../src/main.ts'

/** A whole service on free ports, with real workers. Settings as in the environment. */
export async function startService(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const { config } = loadConfig({
    env: {
      SLUICE_PORT: '0',
      SLUICE_ADMIN_PORT: '0',
      SLUICE_LOG_LEVEL: 'silent',
      SLUICE_MEMORY_BUDGET: '512MB',
      // What one test has made must not be another one's answer.
      SLUICE_CACHE_DIR: 'off',
      SLUICE_CACHE_MEMORY: 'off',
      SLUICE_HTTP_SOURCES: 'off',
      ...env,
    },
  })
  const running = await startSluice(config)
  await running.ready
  return running
}

/** Stops without the grace period. */
export function stopService(running: Running): Promise<void> {
  return running.close({ graceMs: 0, timeoutMs: 1000 })
}

/** One number of the metrics page. */
export async function metric(running: Running, name: string): Promise<number> {
  const page = await (await fetch(`${running.adminUrl}/metrics`)).text()
  const line = page.split('\n').find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}{`))
  return Number(line?.split(' ').at(-1))
}
