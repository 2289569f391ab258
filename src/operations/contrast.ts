import { defineOperation } from './define.ts'
import { curveTable, mapColour } from './samples.ts'

interface ContrastParams {
  readonly amount: number
}

/** Spreads the values around middle grey (128 of 255): -100 is flat grey, 100 doubles every distance. */
export const contrast = defineOperation<ContrastParams>({
  name: 'contrast',
  summary: 'Raise or lower the contrast.',
  params: (z) => z.strictObject({ amount: z.number().min(-100).max(100).describe('Change in percent.') }),
  urlKeys: { con: 'amount' },
  stripSafe: true,
  deep: true,
  examples: [{ params: { amount: 20 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ amount }, { size, exact }) => ({ size, exact, noop: amount === 0, nsPerPixel: 12 }),
  async run({ image, params: { amount }, raster, tools }) {
    const middle = 128 / 255
    const table = curveTable(raster.bitDepth, (value) => middle + (value - middle) * (1 + amount / 100))
    return tools.raster(mapColour(await tools.pixels(image), table))
  },
})
