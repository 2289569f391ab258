import { rotatedSize, type Size } from '../geometry/index.ts'
import { colourText, parseColour } from './colour.ts'
import { defineOperation, SLOTS } from './define.ts'
import { numberAndColour } from './url-text.ts'

interface RotateParams {
  readonly degrees: number
  readonly background: string
}

/** Turns clockwise. Multiples of 90 keep every pixel; other angles grow the canvas and fill its corners. */
export const rotate = defineOperation<RotateParams>({
  name: 'rotate',
  summary: 'Turn the image clockwise.',
  params: (z) =>
    z.strictObject({
      degrees: z.number().min(-360).max(360).describe('Clockwise angle, degrees.'),
      background: colourText(z)
        .default('00000000')
        .describe('Colour of the corners; transparent by default.'),
    }),
  urlKeys: {
    rotate: numberAndColour('rotate', 'degrees', 'background'),
  },
  access: 'random',
  deep: true,
  examples: [
    { params: { degrees: 90 }, from: { width: 1200, height: 800 }, to: { width: 800, height: 1200 } },
    { params: { degrees: 45 }, from: { width: 100, height: 100 }, to: { width: 141, height: 141 } },
  ],
  plan({ degrees, background }, { size, exact, alpha }) {
    const turn = ((degrees % 360) + 360) % 360
    if (turn === 0) return { size, exact, noop: true }
    if (turn % 90 !== 0) {
      const opaque = parseColour(background).alpha === 1
      return {
        size: rotatedSize(size, turn),
        exact,
        alpha: alpha || !opaque,
        nsPerPixel: 60,
      }
    }
    const turned: Size = turn === 180 ? size : { width: size.height, height: size.width }
    return { size: turned, exact, quarter: turn, nsPerPixel: 4, slots: [SLOTS.rotateRight] }
  },
  run({ image, params: { degrees, background }, planned }) {
    if (planned.quarter !== undefined) return image.rotate(planned.quarter as number)
    return image.rotate(degrees, { background: parseColour(background) })
  },
})
