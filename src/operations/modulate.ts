import { defineOperation } from './define.ts'

interface ModulateParams {
  readonly brightness: number
  readonly saturation: number
  readonly hue: number
  readonly lightness: number
}

/** Brightness, saturation, hue and lightness in the LCh colour space. */
export const modulate = defineOperation<ModulateParams>({
  name: 'modulate',
  summary: 'Change brightness, saturation, hue and lightness.',
  params: (z) =>
    z.strictObject({
      brightness: z.number().min(0.01).max(10).default(1).describe('Multiplier of lightness.'),
      saturation: z.number().min(0).max(10).default(1).describe('Multiplier of chroma; 0 is grey.'),
      hue: z.int().min(-360).max(360).default(0).describe('Rotation of the hue, degrees.'),
      lightness: z.number().min(-100).max(100).default(0).describe('Added to lightness.'),
    }),
  urlKeys: { bri: 'brightness', sat: 'saturation', hue: 'hue', light: 'lightness' },
  stripSafe: true,
  examples: [{ params: { brightness: 1.2 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ brightness, saturation, hue, lightness }, { size, exact }) => ({
    size,
    exact,
    noop: brightness === 1 && saturation === 1 && hue === 0 && lightness === 0,
    nsPerPixel: 60,
  }),
  run: ({ image, params: { brightness, saturation, hue, lightness } }) =>
    image.modulate({ brightness, saturation, hue: ((hue % 360) + 360) % 360, lightness }),
})
