import { defineOperation, type Pixels } from './define.ts'
import { samplesOf } from './samples.ts'

interface PixelateParams {
  readonly block: number
}

/** Replaces every block by its mean colour; transparent pixels weigh nothing. */
export const pixelate = defineOperation<PixelateParams>({
  name: 'pixelate',
  summary: 'Show the image in large blocks.',
  params: (z) => z.strictObject({ block: z.int().min(1).max(2048).describe('Side of a block, CSS px.') }),
  urlKeys: { pix: 'block' },
  cssPixels: ['block'],
  deep: true,
  examples: [{ params: { block: 8 }, from: { width: 30, height: 20 }, to: { width: 30, height: 20 } }],
  plan: ({ block }, { size, exact }) => ({ size, exact, noop: block === 1, nsPerPixel: 25 }),
  async run({ image, params: { block }, tools }) {
    const pixels = await tools.pixels(image)
    for (let top = 0; top < pixels.height; top += block) {
      for (let left = 0; left < pixels.width; left += block) levelBlock(pixels, left, top, block)
    }
    return tools.raster(pixels)
  },
})

function levelBlock(pixels: Pixels, left: number, top: number, block: number): void {
  const { width, height, channels } = pixels
  const samples = samplesOf(pixels)
  const hasAlpha = channels === 2 || channels === 4
  const colours = hasAlpha ? channels - 1 : channels
  const right = Math.min(width, left + block)
  const bottom = Math.min(height, top + block)
  const sums = [0, 0, 0, 0]
  let weights = 0
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = (y * width + x) * channels
      const weight = hasAlpha ? (samples[at + colours] as number) : 1
      weights += weight
      for (let c = 0; c < colours; c++) sums[c] = (sums[c] as number) + (samples[at + c] as number) * weight
    }
  }
  const mean = sums.slice(0, colours).map((sum) => (weights === 0 ? 0 : Math.round(sum / weights)))
  if (hasAlpha) mean.push(Math.round(weights / ((right - left) * (bottom - top))))
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) samples.set(mean, (y * width + x) * channels)
  }
}
