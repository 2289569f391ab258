import type { Size } from '../geometry/index.ts'
import { defineOperation, type Pixels } from './define.ts'
import { samplesOf } from './samples.ts'

interface RoundCornersParams {
  readonly radius: number | string
}

/**
 * Cuts the corners off along circles. A percentage is a share of half the shorter side: `100%` makes a
 * square a circle. Edges are anti-aliased and combine with existing alpha.
 */
export const roundCorners = defineOperation<RoundCornersParams>({
  name: 'roundCorners',
  summary: 'Round the corners.',
  params: (z) =>
    z.strictObject({
      radius: z
        .union([
          z.number().min(0).max(16_384),
          z.string().regex(/^(?:0|[1-9]\d?|100)%$/, { error: 'expected px or a percentage' }),
        ])
        .describe('Radius, CSS px, or percent of half the shorter side.'),
    }),
  urlKeys: { round: 'radius' },
  cssPixels: ['radius'],
  deep: true,
  examples: [{ params: { radius: 8 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ radius }, { size, exact }) => ({
    size,
    exact,
    noop: radius === 0 || radius === '0%',
    alpha: true,
    nsPerPixel: 8,
  }),
  async run({ image, params: { radius }, tools }) {
    const pixels = await tools.pixels(image.ensureAlpha())
    cutCorners(pixels, radiusIn(radius, pixels))
    return tools.raster(pixels)
  },
})

function radiusIn(radius: number | string, { width, height }: Size): number {
  const most = Math.min(width, height) / 2
  return typeof radius === 'number' ? Math.min(radius, most) : (most * Number.parseFloat(radius)) / 100
}

function cutCorners(pixels: Pixels, radius: number): void {
  const { width, height, channels } = pixels
  const samples = samplesOf(pixels)
  const reach = Math.ceil(radius)
  for (let y = 0; y < reach; y++) {
    for (let x = 0; x < reach; x++) {
      const distance = Math.hypot(radius - x - 0.5, radius - y - 0.5)
      const kept = Math.min(1, Math.max(0, radius - distance + 0.5))
      if (kept === 1) continue
      // A set: on small images the four mirrored positions may be one and the same pixel.
      const corners = new Set([
        y * width + x,
        y * width + width - 1 - x,
        (height - 1 - y) * width + x,
        (height - 1 - y) * width + width - 1 - x,
      ])
      for (const corner of corners) {
        const at = corner * channels + channels - 1
        samples[at] = Math.round((samples[at] as number) * kept)
      }
    }
  }
}
