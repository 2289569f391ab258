import {
  area,
  type Box,
  fitInside,
  fitOutside,
  type Orientation,
  orientSize,
  type Size,
} from '../geometry/index.ts'
import { defineOperation, type PlanContext, type Raster, SLOTS, type Step } from './define.ts'
import { GRAVITY_FORM, gravityText } from './gravity.ts'

export const FITS = ['inside', 'cover', 'contain', 'fill', 'outside'] as const
export const KERNELS = ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'] as const

const MAX_EDGE = 16_384

interface ResizeParams {
  readonly width?: number
  readonly height?: number
  readonly fit: (typeof FITS)[number]
  readonly enlarge: boolean
  readonly kernel: (typeof KERNELS)[number]
  readonly gravity: string
  /** Set by `expand` alone: the size does not depend on what comes in. */
  readonly settled?: boolean
  /** Set by `expand` alone: resample in linear light. */
  readonly linear?: boolean
}

/**
 * Scales to a box. `inside`, `outside` and the picture within `contain` are never enlarged unless `enlarge`;
 * `cover`, `contain` and `fill` with both sides always give exactly the box. With one side, all act as `inside`.
 */
export const resize = defineOperation<ResizeParams>({
  name: 'resize',
  summary: 'Scale the image to a box.',
  params: (z) =>
    z.strictObject({
      width: z.int().min(1).max(16_384).optional().describe('Box width, CSS px.'),
      height: z.int().min(1).max(16_384).optional().describe('Box height, CSS px.'),
      fit: z.enum(FITS).default('inside').describe('How the image meets the box.'),
      enlarge: z.boolean().default(false).describe('Allow a result larger than the source.'),
      kernel: z.enum(KERNELS).default('lanczos3').describe('Resampling kernel.'),
      gravity: gravityText(z).describe(
        `What \`cover\` keeps and where \`contain\` puts the image: ${GRAVITY_FORM}.`,
      ),
    }),
  urlKeys: { w: 'width', h: 'height', fit: 'fit', up: 'enlarge', kernel: 'kernel', pos: 'gravity' },
  cssPixels: ['width', 'height'],
  deep: true,
  examples: [
    { params: { width: 400 }, from: { width: 1200, height: 800 }, to: { width: 400, height: 267 } },
    { params: { width: 400 }, from: { width: 120, height: 80 }, to: { width: 120, height: 80 } },
    {
      params: { width: 300, height: 300, fit: 'cover' },
      from: { width: 1200, height: 800 },
      to: { width: 300, height: 300 },
    },
    {
      params: { width: 300, height: 300, fit: 'contain' },
      from: { width: 1200, height: 800 },
      to: { width: 300, height: 300 },
    },
  ],
  expand(params, input, context) {
    const { width, height, fit, kernel, gravity } = params
    // Neither side: only a kernel or a fit was said, and there is nothing to scale to.
    if (width === undefined && height === undefined) return []
    const scale = (size: Size, settled = false) => scaleTo(size, settled, kernel, input, context)
    const box = { width, height }
    if (width === undefined || height === undefined) {
      const mayGrow = params.enlarge || fit === 'cover' || fit === 'fill'
      return scale(input.exact ? fitInside(input.size, box, mayGrow) : bound(input.size, box, mayGrow))
    }
    const full = { width, height }
    switch (fit) {
      case 'inside':
        return scale(
          input.exact ? fitInside(input.size, box, params.enlarge) : bound(input.size, box, params.enlarge),
        )
      case 'fill':
        return scale(full, true)
      case 'outside':
        return scale(
          input.exact ? fitOutside(input.size, box, params.enlarge) : bound(input.size, {}, params.enlarge),
        )
      case 'cover':
        return [
          ...scale(input.exact ? fitOutside(input.size, box, true) : full),
          { op: 'crop', ...full, gravity, settled: true },
        ]
      case 'contain': {
        const inner = input.exact
          ? fitInside(input.size, box, params.enlarge)
          : bound(input.size, box, params.enlarge)
        return [
          ...scale(inner),
          { op: 'extend', canvas: full, gravity, mode: 'background', background: '00000000' },
        ]
      }
    }
  },
  plan(params, input) {
    const size = { width: params.width as number, height: params.height as number }
    const noop = size.width === input.size.width && size.height === input.size.height && input.exact
    return {
      size,
      exact: input.exact || params.settled === true,
      scale: size,
      noop,
      linear: params.linear === true,
      nsPerPixel: params.linear === true ? 60 : 12,
      // Linear light works on 16-bit floats of both rasters.
      ...(params.linear === true
        ? { memoryBytes: 8 * (area(size) + area(input.size)) }
        : { slots: [SLOTS.resize] }),
    }
  },
  beforeOrientation(planned, orientation: Orientation) {
    return { ...planned, scale: orientSize(planned.scale as Size, orientation) }
  },
  run({ image, params: { kernel }, planned }) {
    // `plan` already settled both sides; `fill` keeps libvips from rounding a second time.
    const scaled = image.resize({ ...(planned.scale as Size), fit: 'fill', kernel })
    return planned.linear === true ? scaled.pipelineColourspace('rgb16').gamma(2.2) : scaled
  },
})

/** Most that a scale can give when what comes in is only known to be no larger than `most`. */
function bound(most: Size, { width, height }: Box, enlarge: boolean): Size {
  const side = (wished: number | undefined, own: number) =>
    Math.min(wished ?? MAX_EDGE, enlarge ? MAX_EDGE : own)
  return { width: side(width, most.width), height: side(height, most.height) }
}

/** The `quality` profile scales in linear light, from twice the size so that shrink-on-load still helps. */
function scaleTo(
  size: Size,
  settled: boolean,
  kernel: string,
  input: Raster,
  { profile }: PlanContext,
): Step[] {
  const step = (to: Size, linear: boolean): Step => ({
    op: 'resize',
    fit: 'fill',
    kernel,
    ...to,
    settled,
    ...(linear ? { linear } : {}),
  })
  const shrinks = size.width < input.size.width && size.height < input.size.height
  if (profile === 'fast' || !shrinks || kernel === 'nearest') return [step(size, false)]
  const twice = { width: size.width * 2, height: size.height * 2 }
  const far = twice.width < input.size.width && twice.height < input.size.height
  return far ? [step(twice, false), step(size, true)] : [step(size, true)]
}
