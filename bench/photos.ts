import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import type { Cell } from './party.ts'

const LAKE = readFileSync(new URL('../samples/lake.jpg', import.meta.url))
const COPIES = 40

/** Sizes of the photos that the cells begin with, px. */
const SIZES = { standard: { width: 2040, height: 1360 }, large: { width: 4000, height: 3000 } } as const

/** Draws the photos into `folder`: the sample scene enlarged, with the grain of a sensor, each under many names. */
export async function drawPhotos(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
    const options = {
      jpeg: { quality: 88 },
      png: { compressionLevel: 6 },
      webp: { quality: 85 },
      avif: { quality: 65, effort: 2 },
    }
    const photo = (await scene('standard')).toFormat(format, options[format])
    copies(folder, `standard.${extension(format)}`, await photo.toBuffer())
  }
  copies(folder, 'large.jpg', await (await scene('large')).jpeg({ quality: 88 }).toBuffer())
}

async function scene(name: keyof typeof SIZES): Promise<Sharp> {
  const { width, height } = SIZES[name]
  const noise = { type: 'gaussian', mean: 128, sigma: 10 } as const
  const grain = await sharp({ create: { width, height, channels: 3, background: 'black', noise } })
    .raw()
    .toBuffer()
  const grained = await sharp(LAKE)
    .resize(width, height, { fit: 'fill' })
    .composite([{ input: grain, raw: { width, height, channels: 3 }, blend: 'soft-light' }])
    .raw()
    .toBuffer()
  return sharp(grained, { raw: { width, height, channels: 3 } })
}

function copies(folder: string, name: string, bytes: Buffer): void {
  const [first] = namesOf(name)
  writeFileSync(join(folder, first as string), bytes)
  for (const other of namesOf(name).slice(1)) copyFileSync(join(folder, first as string), join(folder, other))
}

function namesOf(name: string): readonly string[] {
  return Array.from({ length: COPIES }, (_, copy) => `${copy}-${name}`)
}

function extension(format: Cell['format']): string {
  return format === 'jpeg' ? 'jpg' : format
}

/** The table of DESIGN: standard photos to 512×512, large ones to three widths, large uploads re-encoded. */
export function cellsIn(folder: string): readonly Cell[] {
  const standard = (from: Cell['format'], to: Cell['format'], clients: number): Cell => ({
    name: `2,040 px ${from} → 512×512 ${to}, ${clients} at once`,
    clients,
    folder,
    files: namesOf(`standard.${extension(from)}`),
    kind: 'resize',
    width: 512,
    height: 512,
    format: to,
    expected: { width: 512, height: 512 },
  })
  const large = (width: number, clients: number): Cell => ({
    name: `12 MP jpeg → ${width} px, ${clients} at once`,
    clients,
    folder,
    files: namesOf('large.jpg'),
    kind: 'resize',
    width,
    format: 'jpeg',
    expected: { width, height: (width * 3) / 4 },
  })
  const upload = (clients: number): Cell => ({
    name: `upload of a 12 MP jpeg, re-encoded, ${clients} at once`,
    clients,
    folder,
    files: namesOf('large.jpg'),
    kind: 'upload',
    format: 'jpeg',
    expected: SIZES.large,
  })
  return [
    ...[1, 2, 16].map((clients) => standard('jpeg', 'jpeg', clients)),
    standard('png', 'png', 2),
    standard('webp', 'webp', 2),
    standard('avif', 'avif', 2),
    standard('jpeg', 'webp', 2),
    standard('jpeg', 'avif', 2),
    ...[400, 800, 1600].flatMap((width) => [large(width, 1), large(width, 16)]),
    ...[1, 4, 16, 64].map(upload),
  ]
}
