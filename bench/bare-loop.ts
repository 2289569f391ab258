import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { closedLoop } from './load.ts'
import type { Task } from './parties/bare-sharp.ts'
import { type Cell, QUALITY } from './party.ts'

// Runs in a process of its own: what an application does that calls the pixel library itself.
sharp.cache(false)
sharp.concurrency(1)

process.on('message', (task: Task) => {
  answer(task).then(
    (message) => process.send?.(message),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})

async function answer({ cell, cores, milliseconds }: Task): Promise<object> {
  if (milliseconds === undefined)
    return { image: (await make(cell, cell.files[0] as string)).toString('base64') }
  // More at once than cores only makes them wait for each other.
  const loops = { ...cell, clients: Math.min(cell.clients, cores) }
  return closedLoop(loops, milliseconds, async (file) => {
    await make(cell, file)
    return 200
  })
}

async function make({ folder, kind, width, height, format }: Cell, file: string): Promise<Buffer> {
  // Read anew each time, as by everyone here.
  const bytes = await readFile(join(folder, file))
  let image = sharp(bytes, { failOn: 'warning', sequentialRead: true }).autoOrient()
  if (kind === 'resize') image = image.resize({ width, height, fit: 'cover' })
  switch (format) {
    case 'png':
      return image.png({ compressionLevel: 7 }).toBuffer()
    case 'webp':
      return image.webp({ quality: QUALITY.webp, effort: 2 }).toBuffer()
    case 'avif':
      return image.avif({ quality: QUALITY.avif, effort: 2, chromaSubsampling: '4:2:0' }).toBuffer()
    default:
      // Whole photos as Sluice writes them, too: without the second pass that doubles time and memory.
      return image.jpeg({ quality: QUALITY.jpeg, optimiseCoding: kind === 'resize' }).toBuffer()
  }
}
