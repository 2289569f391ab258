import { SluiceError } from '../errors/index.ts'
import { clamp, intersect, type Rect, type Size, toStoredRect } from '../geometry/index.ts'
import { defineOperation, type PlannedStep, SLOTS } from './define.ts'
import { GRAVITY_FORM, gravityText, isSmart, placeRect } from './gravity.ts'
import { clip, readNumber, writeNumber } from './url-text.ts'

/** Px of the image as it stands at this step, or a percentage of its side as text: `12.5%`. */
type Length = number | string

interface CropParams {
  readonly left?: Length
  readonly top?: Length
  readonly width: Length
  readonly height: Length
  readonly gravity: string
  /** Set by `resize` alone: what comes in always covers the rectangle. */
  readonly settled?: boolean
}

const PERCENT = /^(?:0|[1-9]\d?|100|(?:0|[1-9]\d?)\.\d{0,3}[1-9])%$/

/**
 * Keeps a rectangle. Lengths address the pixels of the image at this step, so DPR does not scale them.
 * What lies outside the image is cut off; a rectangle wholly outside is refused.
 */
export const crop = defineOperation<CropParams>({
  name: 'crop',
  summary: 'Keep a rectangle of the image.',
  params(z) {
    const length = z.union([
      z.int().min(0).max(16_384),
      z.string().regex(PERCENT, { error: 'expected px or a percentage' }),
    ])
    return z.strictObject({
      left: length.optional().describe('Left edge, px or percent of the width.'),
      top: length.optional().describe('Top edge, px or percent of the height.'),
      width: length.describe('Width, px or percent.'),
      height: length.describe('Height, px or percent.'),
      gravity: gravityText(z).describe(`Where the rectangle lies when no edge is given: ${GRAVITY_FORM}.`),
    })
  },
  urlKeys: {
    crop: {
      params: ['left', 'top', 'width', 'height'],
      form: 'left:top:width:height or width:height, px or percent (%25)',
      read: readCrop,
      write: ({ left, top, width, height }) =>
        width === undefined
          ? undefined
          : (left === undefined ? [width, height] : [left, top, width, height]).map(writeLength).join(':'),
    },
    croppos: 'gravity',
  },
  deep: true,
  examples: [
    {
      params: { left: 10, top: 20, width: 400, height: 300 },
      from: { width: 1200, height: 800 },
      to: { width: 400, height: 300 },
    },
    {
      params: { width: '50%', height: '50%' },
      from: { width: 1200, height: 800 },
      to: { width: 600, height: 400 },
    },
  ],
  plan(params, { size, exact }) {
    const rect = locate(params, size)
    const measured = params.left === undefined && isSmart(params.gravity) && !sameSize(rect, size)
    const planned = settled(rect, size, exact || params.settled === true, measured)
    // What is only a bound may still be larger than the rectangle.
    return exact ? planned : { ...planned, noop: false }
  },
  beforeOrientation(planned, orientation, stored) {
    return { ...planned, rect: toStoredRect(planned.rect as Rect, orientation, stored) }
  },
  async measure({ pixels, params, planned, tools, raster }) {
    const { width, height } = planned.rect as Rect
    const strategy = params.gravity === 'entropy' ? 'entropy' : 'attention'
    // Both sides equal the input's on one axis or not: sharp then scales nothing only when told the exact crop,
    // so the picture is searched at the size it has and the box is what is asked for.
    const { info } = await tools
      .raster(pixels)
      .resize({ width, height, fit: 'cover', position: strategy, withoutEnlargement: true })
      .raw()
      .toBuffer({ resolveWithObject: true })
    const factor = Math.max(width / pixels.width, height / pixels.height)
    const left = Math.round(-(info.cropOffsetLeft ?? 0) / factor)
    const top = Math.round(-(info.cropOffsetTop ?? 0) / factor)
    // A crop smaller than the picture on both axes is found on the scaled picture: widen the find to the centre.
    const coverWidth = Math.round(width / factor)
    const coverHeight = Math.round(height / factor)
    const rect = {
      left: clamp(left + Math.round((coverWidth - width) / 2), 0, pixels.width - width),
      top: clamp(top + Math.round((coverHeight - height) / 2), 0, pixels.height - height),
      width,
      height,
    }
    return settled(rect, raster.size, true, false)
  },
  run: ({ image, planned }) => image.extract(planned.rect as Rect),
})

function settled(rect: Rect, size: Size, exact: boolean, measured: boolean): PlannedStep {
  return {
    size: { width: rect.width, height: rect.height },
    exact,
    rect,
    nsPerPixel: measured ? 40 : 1,
    noop: exact && sameSize(rect, size),
    ...(measured ? { measured } : {}),
    slots: [SLOTS.cropBefore, SLOTS.cropAfter],
  }
}

function locate(params: CropParams, size: Size): Rect {
  const width = toPx(params.width, size.width)
  const height = toPx(params.height, size.height)
  const wished = { width: Math.max(1, width), height: Math.max(1, height) }
  if (params.left === undefined || params.top === undefined) return placeRect(size, wished, params.gravity)
  const rect = { left: toPx(params.left, size.width), top: toPx(params.top, size.height), ...wished }
  const inside = intersect(size, rect)
  if (inside !== undefined) return inside
  throw new SluiceError(
    'parameter-invalid',
    `Cannot crop at ${rect.left}:${rect.top}: the image is ${size.width}×${size.height} px there and the rectangle lies outside of it`,
    { facts: { option: 'crop' } },
  )
}

function toPx(length: Length, side: number): number {
  return typeof length === 'number' ? length : Math.round((Number.parseFloat(length) / 100) * side)
}

function readCrop(text: string): Record<string, unknown> {
  const values = text.split(':').map((part) => (part.endsWith('%') ? part : readNumber(part, '"crop"')))
  const [a, b, c, d] = values
  if (values.length === 2) return { width: a, height: b }
  if (values.length === 4) return { left: a, top: b, width: c, height: d }
  throw new SluiceError(
    'parameter-invalid',
    `Cannot read "crop" with value "${clip(text)}": expected left:top:width:height or width:height`,
  )
}

function writeLength(length: unknown): string {
  return typeof length === 'number' ? writeNumber(length) : String(length)
}

function sameSize(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height
}
