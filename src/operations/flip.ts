import { defineOperation, SLOTS } from './define.ts'

interface FlipParams {
  readonly axis: 'h' | 'v' | 'hv'
}

/** Mirrors left and right (`h`), top and bottom (`v`), or both. */
export const flip = defineOperation<FlipParams>({
  name: 'flip',
  summary: 'Mirror the image.',
  params: (z) =>
    z.strictObject({
      axis: z.enum(['h', 'v', 'hv']).describe('h: left and right; v: top and bottom; hv: both.'),
    }),
  urlKeys: { flip: 'axis' },
  access: 'random',
  deep: true,
  examples: [{ params: { axis: 'h' }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: (_params, { size, exact }) => ({ size, exact, nsPerPixel: 3, slots: [SLOTS.flip] }),
  run({ image, params: { axis } }) {
    const mirrored = axis === 'h' ? image : image.flip()
    return axis === 'v' ? mirrored : mirrored.flop()
  },
})
