import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { closedLoop } from '../load.ts'
import { type Cell, type Party, QUALITY, type StartOptions } from '../party.ts'

const EXTENSIONS = { jpeg: 'jpg', png: 'png', webp: 'webp', avif: 'avif' } as const

/** The command of libvips, one process per picture: how scripts and CGI call it. */
export async function startVipsthumbnail({ scratch, cores }: StartOptions): Promise<Party | string> {
  const found = spawnSync('vipsthumbnail', ['--vips-version'], { encoding: 'utf8' })
  if (found.error !== undefined) return 'the package libvips-tools is not installed'
  const running = new Set<number>()
  const make = async (cell: Cell, file: string) => {
    const child = spawn('vipsthumbnail', argumentsOf(cell, file, scratch), {
      env: { PATH: process.env.PATH, VIPS_CONCURRENCY: '1' },
      stdio: 'ignore',
    })
    running.add(child.pid as number)
    const [status] = (await once(child, 'exit')) as [number]
    running.delete(child.pid as number)
    if (status !== 0) throw new Error(`vipsthumbnail ended with ${status}`)
    return 200
  }
  return {
    name: 'vipsthumbnail',
    version: /libvips ([\d.]+)/.exec(found.stdout)?.[1] ?? '',
    pids: () => [...running],
    refuses: ({ kind }) => (kind === 'upload' ? 'takes no uploads' : undefined),
    once: async (cell) => {
      const file = cell.files[0] as string
      await make(cell, file)
      return readFileSync(join(scratch, `${file}.${EXTENSIONS[cell.format]}`))
    },
    run: (cell, milliseconds) =>
      closedLoop({ ...cell, clients: Math.min(cell.clients, cores) }, milliseconds, (file) =>
        make(cell, file),
      ),
    stop: async () => {},
  }
}

function argumentsOf({ folder, width, height, format }: Cell, file: string, scratch: string): string[] {
  const quality =
    format === 'png' ? '[compression=7]' : `[Q=${QUALITY[format]}${format === 'jpeg' ? '' : ',effort=2'}]`
  const size = height === undefined ? [`${width}x`] : [`${width}x${height}`, '--smartcrop', 'centre']
  return [
    join(folder, file),
    '--size',
    ...size,
    '-o',
    `${join(scratch, file)}.${EXTENSIONS[format]}${quality}`,
  ]
}
