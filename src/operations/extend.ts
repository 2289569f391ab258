import { SluiceError } from '../errors/index.ts'
import type { Size } from '../geometry/index.ts'
import { colourText, parseColour } from './colour.ts'
import { defineOperation, SLOTS } from './define.ts'
import { placeRect } from './gravity.ts'
import { clip, readNumber, writeNumber } from './url-text.ts'

export const EXTEND_MODES = ['background', 'copy', 'mirror', 'repeat'] as const

interface ExtendParams {
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly left: number
  readonly mode: (typeof EXTEND_MODES)[number]
  readonly background: string
  /** Set by `resize` alone: pad to this canvas. */
  readonly canvas?: Size
  readonly gravity?: string
}

interface Margins {
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly left: number
}

/** Adds margins around the image, filled with a colour or with the image's own edge. */
export const extend = defineOperation<ExtendParams>({
  name: 'extend',
  summary: 'Add margins around the image.',
  params(z) {
    const margin = z.int().min(0).max(16_384).default(0)
    return z.strictObject({
      top: margin.describe('Margin, CSS px.'),
      right: margin.describe('Margin, CSS px.'),
      bottom: margin.describe('Margin, CSS px.'),
      left: margin.describe('Margin, CSS px.'),
      mode: z.enum(EXTEND_MODES).default('background').describe('What fills the margins.'),
      background: colourText(z)
        .default('00000000')
        .describe('Colour of the margins; transparent by default.'),
    })
  },
  urlKeys: {
    pad: {
      params: ['top', 'right', 'bottom', 'left'],
      form: 'all, or top:right:bottom:left',
      read: readMargins,
      write: writeMargins,
    },
    padmode: 'mode',
    padbg: 'background',
  },
  cssPixels: ['top', 'right', 'bottom', 'left'],
  deep: true,
  examples: [
    {
      params: { top: 10, right: 20, bottom: 10, left: 20 },
      from: { width: 100, height: 100 },
      to: { width: 140, height: 120 },
    },
  ],
  plan(params, { size, exact, alpha, bitDepth }) {
    const margins = marginsOf(params, size)
    const grown = {
      width: size.width + margins.left + margins.right,
      height: size.height + margins.top + margins.bottom,
    }
    const clear = params.mode === 'background' && parseColour(params.background).alpha < 1
    const noop = exact && grown.width === size.width && grown.height === size.height
    // A colour over existing alpha is premultiplied differently when a scale comes before it in one pipeline,
    // and copying modes read rows again.
    const fuses = params.mode === 'background' && !alpha && !clear && bitDepth === 8
    return {
      size: grown,
      exact: exact || params.canvas !== undefined,
      margins,
      noop,
      alpha: alpha || clear,
      nsPerPixel: 3,
      ...(fuses ? { slots: [SLOTS.extend] } : {}),
    }
  },
  run: ({ image, params: { mode, background }, planned }) =>
    image.extend({ ...(planned.margins as Margins), extendWith: mode, background: parseColour(background) }),
})

function marginsOf(
  { canvas, gravity = 'centre', top, right, bottom, left }: ExtendParams,
  size: Size,
): Margins {
  if (canvas === undefined) return { top, right, bottom, left }
  const inner = placeRect(canvas, size, gravity)
  return {
    top: inner.top,
    left: inner.left,
    right: Math.max(0, canvas.width - inner.left - size.width),
    bottom: Math.max(0, canvas.height - inner.top - size.height),
  }
}

function readMargins(text: string): Record<string, unknown> {
  const values = text.split(':').map((part) => readNumber(part, '"pad"'))
  const [a, b, c, d] = values
  if (values.length === 1) return { top: a, right: a, bottom: a, left: a }
  if (values.length === 4) return { top: a, right: b, bottom: c, left: d }
  throw new SluiceError(
    'parameter-invalid',
    `Cannot read "pad" with value "${clip(text)}": expected one margin or top:right:bottom:left`,
  )
}

function writeMargins({ top, right, bottom, left }: Record<string, unknown>): string | undefined {
  const all = [top, right, bottom, left]
  if (all.every((side) => side === undefined)) return undefined
  const values = all.map((side) => writeNumber((side as number | undefined) ?? 0))
  return values.every((value) => value === values[0]) ? values[0] : values.join(':')
}
