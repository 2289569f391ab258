import {
  COMPASS,
  type Compass,
  compassPoint,
  fitInside,
  intersect,
  type Rect,
  type Size,
} from '../geometry/index.ts'
import { defineOperation, type PlanContext } from './define.ts'

export const BLEND_MODES = [
  'over', 'in', 'out', 'atop', 'dest-over', 'dest-in', 'dest-out', 'dest-atop', 'xor', 'add', 'saturate', 'multiply',
  'screen', 'overlay', 'darken', 'lighten', 'colour-dodge', 'colour-burn', 'hard-light', 'soft-light', 'difference', 'exclusion',
] as const // biome-ignore format: a list of words

interface OverlayParams {
  readonly source: string
  readonly gravity: Compass
  readonly x: number
  readonly y: number
  readonly opacity: number
  readonly blend: (typeof BLEND_MODES)[number]
  readonly tile: boolean
  readonly width?: number
  readonly scale?: number
}

/**
 * Puts another image on top. It is anchored by gravity, moved inwards by an offset, and clipped at the edges.
 * Its size is its own, a width in px, or a share of the image's width. Works on 8 bits per channel.
 */
export const overlay = defineOperation<OverlayParams>({
  name: 'overlay',
  summary: 'Put another image on top.',
  params: (z) =>
    z.strictObject({
      source: z
        .string()
        .min(1)
        .max(2048)
        .describe('Source of the overlay: a path under a root, or name:path.'),
      gravity: z.enum(COMPASS).default('centre').describe('Where it is anchored.'),
      x: z
        .int()
        .min(-16_384)
        .max(16_384)
        .default(0)
        .describe('Offset from the anchored edge inwards, CSS px.'),
      y: z
        .int()
        .min(-16_384)
        .max(16_384)
        .default(0)
        .describe('Offset from the anchored edge inwards, CSS px.'),
      opacity: z.number().min(0).max(1).default(1).describe('0 is invisible, 1 as it is.'),
      blend: z.enum(BLEND_MODES).default('over').describe('How the colours meet.'),
      tile: z.boolean().default(false).describe('Repeat over the whole image.'),
      width: z
        .int()
        .min(1)
        .max(16_384)
        .optional()
        .describe('Width of the overlay, CSS px; its ratio is kept.'),
      scale: z
        .number()
        .min(0.001)
        .max(1)
        .optional()
        .describe('Width of the overlay as a share of the image’s width; wins over width.'),
    }),
  urlKeys: {
    ov: 'source',
    ovpos: 'gravity',
    ovx: 'x',
    ovy: 'y',
    ovop: 'opacity',
    ovblend: 'blend',
    ovtile: 'tile',
    ovw: 'width',
    ovscale: 'scale',
  },
  cssPixels: ['x', 'y', 'width'],
  examples: [],
  sources: ({ source }) => [source],
  plan(params, { size, exact, alpha }, { inputs }: PlanContext) {
    const own = inputs[0]?.size ?? { width: 1, height: 1 }
    const wished =
      params.scale === undefined ? params.width : Math.max(1, Math.round(size.width * params.scale))
    const scaled = wished === undefined ? own : fitInside(own, { width: wished }, true)
    const placed = place(size, scaled, params)
    // Modes that keep only where both are need alpha; the others leave an opaque image opaque.
    const cuts = /^(?:in|out|dest-in|dest-out|dest-atop|xor|atop)$/.test(params.blend)
    return {
      size,
      exact,
      scaled,
      placed,
      noop: params.opacity === 0,
      alpha: alpha || cuts,
      memoryBytes:
        4 * (own.width * own.height + 2 * scaled.width * scaled.height + 2 * size.width * size.height),
      nsPerPixel: 60,
    }
  },
  async run({ image, raster, params, planned, inputs, tools }) {
    const scaled = planned.scaled as Size
    const at = place(raster.size, scaled, params)
    const visible = params.tile
      ? intersect(raster.size, { left: 0, top: 0, ...scaled })
      : intersect(raster.size, { ...at, ...scaled })
    if (visible === undefined) return image
    const source = await tools.input(inputs[0] as number)
    const resized = tools
      .raster(source)
      .resize({ ...scaled, fit: 'fill' })
      .ensureAlpha()
    const all = await tools.pixels(resized)
    const window = params.tile
      ? visible
      : { ...visible, left: visible.left - at.left, top: visible.top - at.top }
    const part = await tools.pixels(tools.raster(all).extract(window))
    fade(part.data, params.opacity)
    const composed = tools.composite(image, part, {
      blend: params.blend,
      ...(params.tile ? { tile: true, gravity: params.gravity } : { left: visible.left, top: visible.top }),
    })
    return raster.alpha || planned.alpha === true ? composed : composed.removeAlpha()
  },
})

function place(image: Size, size: Size, { gravity, x, y }: OverlayParams): Pick<Rect, 'left' | 'top'> {
  const point = compassPoint(gravity)
  const inwards = (fraction: number, offset: number) => (fraction === 1 ? -offset : offset)
  return {
    left: Math.round((image.width - size.width) * point.x) + inwards(point.x, x),
    top: Math.round((image.height - size.height) * point.y) + inwards(point.y, y),
  }
}

function fade(rgba: Uint8Array, opacity: number): void {
  if (opacity === 1) return
  for (let at = 3; at < rgba.length; at += 4) rgba[at] = Math.round((rgba[at] as number) * opacity)
}
