import { defineOperation } from './define.ts'
import { mapColour } from './samples.ts'

interface ThresholdParams {
  readonly level: number
}

/** Black below a lightness, white from it on; alpha stays. */
export const threshold = defineOperation<ThresholdParams>({
  name: 'threshold',
  summary: 'Make the image black and white.',
  params: (z) =>
    z.strictObject({ level: z.int().min(0).max(255).describe('Lowest grey value that turns white.') }),
  urlKeys: { th: 'level' },
  stripSafe: true,
  examples: [{ params: { level: 128 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: (_params, { size, exact }) => ({ size, exact, nsPerPixel: 25 }),
  async run({ image, params: { level }, tools }) {
    const table = new Uint8Array(256).map((_, value) => (value >= level ? 255 : 0))
    return tools.raster(mapColour(await tools.pixels(image.grayscale()), table))
  },
})
