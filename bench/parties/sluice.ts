import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { overHttp } from '../load.ts'
import { type Cell, type Party, QUALITY, type StartOptions } from '../party.ts'
import { startServer } from '../processes.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The service of this checkout, as `npx sluice serve` starts it. */
export async function startSluice({ folder }: StartOptions): Promise<Party> {
  const server = await startServer(
    (port) => [process.execPath, `${root}src/cli/main.ts`, 'serve', '--port', String(port)],
    {
      path: '/readyz',
      env: {
        SLUICE_ROOT: folder,
        SLUICE_ADMIN_PORT: 'off',
        SLUICE_CACHE_DIR: 'off',
        SLUICE_CACHE_MEMORY: 'off',
        SLUICE_LOG_LEVEL: 'silent',
        SLUICE_MEMORY_BUDGET: '512MB',
        SLUICE_MAX_UPLOAD_BYTES: '32MiB',
      },
    },
  )
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
  return {
    name: 'Sluice',
    version,
    pids: server.pids,
    refuses: () => undefined,
    ...overHttp((cell, file) => server.url + pathOf(cell, file)),
    stop: server.stop,
  }
}

function pathOf(cell: Cell, file: string): string {
  const { width, height, format, kind } = cell
  if (kind === 'upload') return '/upload'
  const quality = format === 'png' ? '' : `,q=${QUALITY[format]}`
  const size = height === undefined ? `w=${width}` : `w=${width},h=${height},fit=cover`
  return `/i/${size},format=${format}${quality}/${file}`
}
