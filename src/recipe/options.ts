import { z } from 'zod'
import { INPUT_FORMATS, type InputFormat } from './probe.ts'

const px = z.int().min(1).max(1_000_000_000)

/** Limits on what is decoded and made. Keys in camelCase; `meta` tells the environment variable and the unit. */
export const limitsOptions = z.strictObject({
  maxPixels: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS', unit: 'px' })
    .describe('Pixels in the header of a source, any format.'),
  maxPixelsJpeg: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_JPEG', unit: 'px' })
    .describe('Pixels of a baseline JPEG.'),
  maxPixelsProgressive: px
    .default(25_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_PROGRESSIVE', unit: 'px' })
    .describe('Pixels of a progressive JPEG.'),
  maxPixelsPng: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_PNG', unit: 'px' })
    .describe('Pixels of a PNG.'),
  maxPixelsGif: px
    .default(16_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_GIF', unit: 'px' })
    .describe('Pixels of one GIF frame.'),
  maxPixelsWebp: px
    .default(25_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_WEBP', unit: 'px' })
    .describe('Pixels of a WebP.'),
  maxPixelsAvif: px
    .default(16_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_AVIF', unit: 'px' })
    .describe('Pixels of an AVIF.'),
  maxPixelsTiff: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_TIFF', unit: 'px' })
    .describe('Pixels of a TIFF page.'),
  maxPixelsSvg: px
    .default(8_000_000)
    .meta({ env: 'SLUICE_MAX_PIXELS_SVG', unit: 'px' })
    .describe('Pixels an SVG is drawn at.'),
  maxEdge: z
    .int()
    .min(1)
    .max(65_500)
    .default(16_384)
    .meta({ env: 'SLUICE_MAX_EDGE', unit: 'px' })
    .describe('Longest side, in and out.'),
  maxResultPixels: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_RESULT_PIXELS', unit: 'px' })
    .describe('Pixels of a result.'),
  maxScans: z
    .int()
    .min(1)
    .default(100)
    .meta({ env: 'SLUICE_MAX_SCANS', unit: 'scans' })
    .describe('Scans of a JPEG.'),
  maxFrames: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .meta({ env: 'SLUICE_MAX_FRAMES', unit: 'frames' })
    .describe('Frames that are decoded.'),
  maxFramePixels: px
    .default(50_000_000)
    .meta({ env: 'SLUICE_MAX_FRAME_PIXELS', unit: 'px' })
    .describe('Pixels of all frames together, in and out.'),
})

export type Limits = z.infer<typeof limitsOptions>

/** The pixel limit of a format and the setting that holds it; the general limit wins where it is lower. */
export function pixelLimit(
  limits: Limits,
  format: InputFormat,
  progressive: boolean,
): { max: number; setting: string } {
  const own: Record<InputFormat, number> = {
    jpeg: progressive ? limits.maxPixelsProgressive : limits.maxPixelsJpeg,
    png: limits.maxPixelsPng,
    gif: limits.maxPixelsGif,
    webp: limits.maxPixelsWebp,
    avif: limits.maxPixelsAvif,
    tiff: limits.maxPixelsTiff,
    svg: limits.maxPixelsSvg,
  }
  const max = own[format]
  if (limits.maxPixels < max) return { max: limits.maxPixels, setting: 'SLUICE_MAX_PIXELS' }
  return {
    max,
    setting: `SLUICE_MAX_PIXELS_${progressive && format === 'jpeg' ? 'PROGRESSIVE' : format.toUpperCase()}`,
  }
}

// `heic jxl pdf bmp ico jp2 psd raw video` are words of the language; this build cannot read them yet.
export const KNOWN_FORMATS = [
  ...INPUT_FORMATS,
  'heic',
  'jxl',
  'pdf',
  'bmp',
  'ico',
  'jp2',
  'psd',
  'raw',
  'video',
] as const
const FORMAT_ALIASES: Readonly<Record<string, string>> = { jpg: 'jpeg', tif: 'tiff', heif: 'heic' }

/** Canonical name of an input format token, or `undefined`. */
export function formatToken(text: string): string | undefined {
  const lower = text.trim().toLowerCase()
  const name = FORMAT_ALIASES[lower] ?? lower
  return (KNOWN_FORMATS as readonly string[]).includes(name) ? name : undefined
}
