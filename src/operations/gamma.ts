import { defineOperation } from './define.ts'
import { curveTable, mapColour } from './samples.ts'

interface GammaParams {
  readonly gamma: number
}

/** Raises every value to 1/gamma: above 1 the midtones get lighter, below 1 darker; black and white stay. */
export const gamma = defineOperation<GammaParams>({
  name: 'gamma',
  summary: 'Lighten or darken the midtones.',
  params: (z) => z.strictObject({ gamma: z.number().min(0.1).max(10).describe('Exponent is 1/gamma.') }),
  urlKeys: { gamma: 'gamma' },
  stripSafe: true,
  deep: true,
  examples: [{ params: { gamma: 2.2 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: (params, { size, exact }) => ({ size, exact, noop: params.gamma === 1, nsPerPixel: 12 }),
  async run({ image, params, raster, tools }) {
    const table = curveTable(raster.bitDepth, (value) => value ** (1 / params.gamma))
    return tools.raster(mapColour(await tools.pixels(image), table))
  },
})
