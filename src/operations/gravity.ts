import { SluiceError } from '../errors/index.ts'
import {
  anchoredRect,
  COMPASS,
  type Compass,
  type FocalPoint,
  focalRect,
  type Rect,
  type Size,
} from '../geometry/index.ts'
import type { Zod } from './define.ts'
import { CANONICAL_NUMBER } from './url-text.ts'

/** How a crop is anchored: a compass word, `x:y` in 0–1, or by the pixels. */
export const GRAVITY_FORM =
  'a compass word (centre, north, northeast, …), a focal point "x:y" in 0–1, "smart" or "entropy"'

/** Pixel-dependent anchors: `smart` looks for attention, `entropy` for detail. */
export function isSmart(gravity: string): gravity is 'smart' | 'entropy' {
  return gravity === 'smart' || gravity === 'entropy'
}

export function isGravity(text: string): boolean {
  return isSmart(text) || isCompass(text) || readFocalPoint(text) !== undefined
}

/** Schema of a gravity option. */
export function gravityText(z: Zod) {
  return z
    .string()
    .refine(isGravity, { error: `expected ${GRAVITY_FORM}` })
    .default('centre')
}

/** Where a rectangle of `size` lies in `image`; for smart gravities a placeholder in the centre. */
export function placeRect(image: Size, size: Size, gravity: string): Rect {
  const focus = readFocalPoint(gravity)
  if (focus !== undefined) return focalRect(image, size, focus)
  return anchoredRect(image, size, isCompass(gravity) ? gravity : 'centre')
}

/** @throws {SluiceError} `parameter-invalid`, with a word of its own for `face`, which this build cannot do. */
export function checkGravity(text: string): string {
  if (isGravity(text)) return text
  throw new SluiceError('parameter-invalid', `Cannot use the gravity "${text}": expected ${GRAVITY_FORM}`)
}

function isCompass(text: string): text is Compass {
  return (COMPASS as readonly string[]).includes(text)
}

function readFocalPoint(text: string): FocalPoint | undefined {
  const [x = '', y = '', ...rest] = text.split(':')
  if (rest.length > 0 || !CANONICAL_NUMBER.test(x) || !CANONICAL_NUMBER.test(y)) return undefined
  const point = { x: Number(x), y: Number(y) }
  return point.x >= 0 && point.x <= 1 && point.y >= 0 && point.y <= 1 ? point : undefined
}
