import { colourText, parseColour } from './colour.ts'
import { defineOperation } from './define.ts'

interface TintParams {
  readonly colour: string
}

/** Gives the whole image the hue and chroma of one colour, keeping its lightness. */
export const tint = defineOperation<TintParams>({
  name: 'tint',
  summary: 'Tint the image with a colour.',
  params: (z) =>
    z.strictObject({
      colour: colourText(z).describe('The tint.'),
    }),
  urlKeys: { tint: 'colour' },
  stripSafe: true,
  examples: [
    { params: { colour: '704214' }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } },
  ],
  plan: (_params, { size, exact }) => ({ size, exact, nsPerPixel: 50 }),
  run: ({ image, params: { colour } }) => image.tint(parseColour(colour)),
})
