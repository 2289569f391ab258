import { defineOperation } from './define.ts'

interface GrayscaleParams {
  readonly on: boolean
}

/** Takes the colour away (also spelled greyscale); alpha stays. */
export const grayscale = defineOperation<GrayscaleParams>({
  name: 'grayscale',
  summary: 'Take the colour away.',
  params: (z) => z.strictObject({ on: z.boolean().describe('true: grey.') }),
  urlKeys: { gray: 'on' },
  stripSafe: true,
  examples: [{ params: { on: true }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ on }, { size, exact }) => ({ size, exact, noop: !on, nsPerPixel: 15 }),
  run: ({ image }) => image.grayscale(),
})
