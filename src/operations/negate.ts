import { defineOperation } from './define.ts'
import { curveTable, mapColour } from './samples.ts'

interface NegateParams {
  readonly on: boolean
}

/** Inverts the colours; alpha stays. */
export const negate = defineOperation<NegateParams>({
  name: 'negate',
  summary: 'Invert the colours.',
  params: (z) => z.strictObject({ on: z.boolean().describe('true: inverted.') }),
  urlKeys: { neg: 'on' },
  stripSafe: true,
  deep: true,
  examples: [{ params: { on: true }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ on }, { size, exact }) => ({ size, exact, noop: !on, nsPerPixel: 12 }),
  async run({ image, raster, tools }) {
    return tools.raster(
      mapColour(
        await tools.pixels(image),
        curveTable(raster.bitDepth, (value) => 1 - value),
      ),
    )
  },
})
