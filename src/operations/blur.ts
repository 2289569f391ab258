import { area } from '../geometry/index.ts'
import { defineOperation, SLOTS } from './define.ts'

interface BlurParams {
  readonly sigma: number
}

/** Gaussian blur. Alpha is premultiplied, so colours of transparent pixels do not bleed in. */
export const blur = defineOperation<BlurParams>({
  name: 'blur',
  summary: 'Blur the image.',
  params: (z) =>
    z.strictObject({ sigma: z.number().min(0.3).max(250).describe('Standard deviation, CSS px.') }),
  urlKeys: { blur: 'sigma' },
  cssPixels: ['sigma'],
  deep: true,
  examples: [{ params: { sigma: 2 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ sigma }, { size, exact, alpha, bitDepth }) => ({
    size,
    exact,
    // Separable: two runs of about 6 sigma taps each.
    nsPerPixel: 10 + 4 * sigma,
    memoryBytes: Math.round(size.width * (12 * sigma + 64) * 8 + area(size) * 4),
    ...(alpha || bitDepth === 16 ? {} : { slots: [SLOTS.blur] }),
  }),
  run: ({ image, params: { sigma } }) => image.blur(Math.min(sigma, 1000)),
})
