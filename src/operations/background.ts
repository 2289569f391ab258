import { colourText, parseColour } from './colour.ts'
import { defineOperation } from './define.ts'

interface BackgroundParams {
  readonly colour: string
}

/** Puts a colour behind the image; what was transparent shows it. An opaque image stays as it is. */
export const background = defineOperation<BackgroundParams>({
  name: 'background',
  summary: 'Put a colour behind transparent pixels.',
  params: (z) =>
    z.strictObject({
      colour: colourText(z).describe('Colour behind the image.'),
    }),
  urlKeys: { bg: 'colour' },
  stripSafe: true,
  examples: [
    { params: { colour: 'ff0000' }, from: { width: 10, height: 10 }, to: { width: 10, height: 10 } },
  ],
  plan: ({ colour }, { size, exact, alpha }) => ({
    size,
    exact,
    noop: !alpha,
    alpha: parseColour(colour).alpha < 1,
    nsPerPixel: 5,
  }),
  async run({ image, params, tools, planned }) {
    const colour = parseColour(params.colour)
    if (colour.alpha === 1) return image.flatten({ background: colour })
    // A half transparent colour is a layer under the image, not a flattening.
    const over = await tools.pixels(image)
    return tools.composite(tools.canvas(planned.size, colour), over, { blend: 'over', left: 0, top: 0 })
  },
})
