import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { overHttp } from '../load.ts'
import { type Party, QUALITY, type StartOptions } from '../party.ts'
import { startServer } from '../processes.ts'

const VERSION = '3.1.1'

/** IPX, the image server of the Nuxt world, on sharp as well; installed for the bench alone. */
export async function startIpx({ folder, scratch }: StartOptions): Promise<Party | string> {
  writeFileSync(join(scratch, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const installed = spawnSync('npm', ['install', '--no-audit', '--no-fund', `ipx@${VERSION}`], {
    cwd: scratch,
    encoding: 'utf8',
    timeout: 120_000,
  })
  if (installed.status !== 0) return `npm could not install ipx@${VERSION}`
  writeFileSync(
    join(scratch, 'server.mjs'),
    `import { createServer } from 'node:http'
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx'
const ipx = createIPX({ storage: ipxFSStorage({ dir: ${JSON.stringify(folder)} }) })
createServer(createIPXNodeServer(ipx)).listen(Number(process.argv[2]), '127.0.0.1')
`,
  )
  const server = await startServer((port) => [process.execPath, join(scratch, 'server.mjs'), String(port)])
  return {
    name: 'IPX',
    version: VERSION,
    pids: server.pids,
    refuses: ({ kind }) => (kind === 'upload' ? 'takes no uploads' : undefined),
    ...overHttp(({ width, height, format }, file) => {
      const quality = format === 'png' ? '' : `,q_${QUALITY[format]}`
      const size = height === undefined ? `w_${width}` : `s_${width}x${height},fit_cover`
      return `${server.url}/${size},f_${format}${quality}/${file}`
    }),
    stop: server.stop,
  }
}
