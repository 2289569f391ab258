import { SluiceError } from '../errors/index.ts'
import { defineOperation } from './define.ts'
import { clip, readNumber, writeNumber } from './url-text.ts'

interface SharpenParams {
  readonly sigma: number
  readonly flat: number
  readonly jagged: number
}

/** Unsharp mask on lightness, after which colours keep their hue. */
export const sharpen = defineOperation<SharpenParams>({
  name: 'sharpen',
  summary: 'Sharpen the image.',
  params: (z) =>
    z.strictObject({
      sigma: z.number().min(0.3).max(10).describe('Standard deviation of the mask, px.'),
      flat: z.number().min(0).max(100).default(1).describe('Strength in flat areas.'),
      jagged: z.number().min(0).max(100).default(2).describe('Strength at edges.'),
    }),
  urlKeys: {
    sharp: {
      params: ['sigma', 'flat', 'jagged'],
      form: 'sigma or sigma:flat:jagged',
      read(text) {
        const values = text.split(':').map((part) => readNumber(part, '"sharp"'))
        const [sigma, flat, jagged] = values
        if (values.length === 1) return { sigma }
        if (values.length === 3) return { sigma, flat, jagged }
        throw new SluiceError(
          'parameter-invalid',
          `Cannot read "sharp" with value "${clip(text)}": expected sigma or sigma:flat:jagged`,
        )
      },
      write: ({ sigma, flat = 1, jagged = 2 }) =>
        sigma === undefined
          ? undefined
          : (flat === 1 && jagged === 2 ? [sigma] : [sigma, flat, jagged])
              .map((value) => writeNumber(value as number))
              .join(':'),
    },
  },
  examples: [{ params: { sigma: 1 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: (_params, { size, exact }) => ({ size, exact, nsPerPixel: 80, memoryBytes: size.width * 512 }),
  run: ({ image, params: { sigma, flat, jagged } }) => image.sharpen({ sigma, m1: flat, m2: jagged }),
})
