import sharp from 'sharp'

/** A picture with structure everywhere: gradients, stripes and, when asked, alpha. Deterministic. */
export function pattern(width: number, height: number, channels: 3 | 4 = 3): Buffer {
  const data = Buffer.alloc(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels
      data[at] = (x * 255) / width
      data[at + 1] = (y * 255) / height
      data[at + 2] = ((x ^ y) & 15) * 16
      if (channels === 4) data[at + 3] = (x + y) % 7 === 0 ? 0 : 255 - ((x * 3) % 200)
    }
  }
  return data
}

export interface FixtureOptions {
  readonly width?: number
  readonly height?: number
  readonly format?: 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff'
  readonly alpha?: boolean
  readonly orientation?: number
}

/** An encoded picture of `pattern`. */
export async function fixture({
  width = 120,
  height = 80,
  format = 'png',
  alpha = false,
  orientation,
}: FixtureOptions = {}): Promise<Buffer> {
  const channels = alpha ? 4 : 3
  const image = sharp(pattern(width, height, channels), { raw: { width, height, channels } })
  const tagged = orientation === undefined ? image : image.withMetadata({ orientation })
  return tagged.toFormat(format).toBuffer()
}

/** An animated GIF of `frames` frames, each a flat colour. */
export function animation(frames = 4, width = 30, height = 20): Promise<Buffer> {
  const strip = Buffer.concat(
    Array.from({ length: frames }, (_, i) => Buffer.alloc(width * height * 3, (i + 1) * 40)),
  )
  return sharp(strip, { raw: { width, height: height * frames, channels: 3, pageHeight: height } })
    .gif({ delay: Array.from({ length: frames }, (_, i) => 50 + i * 10), loop: 3 })
    .toBuffer()
}
