import { area, type Rect } from '../geometry/index.ts'
import { colourText, parseColour } from './colour.ts'
import { defineOperation, type Pixels, SLOTS } from './define.ts'
import { numberAndColour } from './url-text.ts'

interface TrimParams {
  readonly threshold: number
  readonly colour?: string
}

/**
 * Cuts off edges of one colour: that of the top left pixel unless one is given. An image that is all edge
 * stays as it is. The size depends on the pixels, so a plan only knows an upper bound.
 */
export const trim = defineOperation<TrimParams>({
  name: 'trim',
  summary: 'Cut off edges of one colour.',
  params: (z) =>
    z.strictObject({
      threshold: z
        .number()
        .min(0)
        .max(255)
        .default(10)
        .describe('Largest difference per channel that counts as edge, 0–255.'),
      colour: colourText(z).optional().describe('Colour of the edge.'),
    }),
  urlKeys: {
    trim: numberAndColour('trim', 'threshold', 'colour'),
  },
  access: 'random',
  deep: true,
  examples: [],
  plan: (_params, input) => ({
    size: input.size,
    exact: false,
    measured: true,
    rect: { left: 0, top: 0, ...input.size },
    nsPerPixel: 10,
    memoryBytes: area(input.size),
  }),
  async measure({ pixels, params, raster }) {
    const rect = contentBox(pixels, params) ?? { left: 0, top: 0, ...raster.size }
    const size = { width: rect.width, height: rect.height }
    const noop = size.width === raster.size.width && size.height === raster.size.height
    return { size, exact: true, rect, noop, slots: [SLOTS.cropBefore] }
  },
  run: ({ image, planned }) => image.extract(planned.rect as Rect),
})

/** The smallest rectangle that holds every pixel unlike the edge; `undefined` when there is none. */
function contentBox(pixels: Pixels, params: TrimParams): Rect | undefined {
  const { width, height, channels, bitDepth } = pixels
  const samples =
    bitDepth === 16
      ? new Uint16Array(pixels.data.buffer, pixels.data.byteOffset, width * height * channels)
      : pixels.data
  const unit = bitDepth === 16 ? 257 : 1
  const limit = params.threshold * unit
  const edge = edgeSamples(samples, channels, unit, params.colour)
  const differs = (x: number, y: number): boolean => {
    const at = (y * width + x) * channels
    for (let c = 0; c < channels; c++)
      if (Math.abs((samples[at + c] as number) - (edge[c] as number)) > limit) return true
    return false
  }
  const rowDiffers = (y: number, from: number, to: number): boolean => {
    for (let x = from; x < to; x++) if (differs(x, y)) return true
    return false
  }
  const columnDiffers = (x: number, from: number, to: number): boolean => {
    for (let y = from; y < to; y++) if (differs(x, y)) return true
    return false
  }
  let top = 0
  while (top < height && !rowDiffers(top, 0, width)) top++
  if (top === height) return undefined
  let bottom = height
  while (!rowDiffers(bottom - 1, 0, width)) bottom--
  let left = 0
  while (!columnDiffers(left, top, bottom)) left++
  let right = width
  while (!columnDiffers(right - 1, top, bottom)) right--
  return { left, top, width: right - left, height: bottom - top }
}

function edgeSamples(
  samples: ArrayLike<number>,
  channels: number,
  unit: number,
  colour: string | undefined,
): number[] {
  if (colour === undefined) return Array.from({ length: channels }, (_, c) => samples[c] as number)
  const { r, g, b, alpha } = parseColour(colour)
  const grey = Math.round(0.2126 * r + 0.7152 * g + 0.0722 * b)
  const values = channels < 3 ? [grey, alpha * 255] : [r, g, b, alpha * 255]
  return values.slice(0, channels).map((value) => value * unit)
}
