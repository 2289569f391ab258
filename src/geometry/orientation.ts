import type { Rect, Size } from './size.ts'

/** EXIF orientation, 1–8; 1 is upright. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

/** Mirroring and turning in the order in which the pixel library applies them: flip, flop, then a turn to the right. */
export interface Turns {
  /** Mirror top and bottom. */
  readonly flip: boolean
  /** Mirror left and right. */
  readonly flop: boolean
  /** Clockwise, degrees. */
  readonly rotate: 0 | 90 | 180 | 270
}

const TURNS: Readonly<Record<Orientation, Turns>> = {
  1: { flip: false, flop: false, rotate: 0 },
  2: { flip: false, flop: true, rotate: 0 },
  3: { flip: false, flop: false, rotate: 180 },
  4: { flip: true, flop: false, rotate: 0 },
  5: { flip: true, flop: false, rotate: 90 },
  6: { flip: false, flop: false, rotate: 90 },
  7: { flip: true, flop: false, rotate: 270 },
  8: { flip: false, flop: false, rotate: 270 },
}

/** What makes an image of this orientation upright. @see https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf (Orientation) */
export function turnsOf(orientation: Orientation): Turns {
  return TURNS[orientation]
}

/** Whether width and height change places. */
export function swapsSides(orientation: Orientation): boolean {
  return orientation >= 5
}

/** Size after (or before: it is its own inverse) the orientation is applied. */
export function orientSize(size: Size, orientation: Orientation): Size {
  return swapsSides(orientation) ? { width: size.height, height: size.width } : size
}

/**
 * Where a rectangle of the upright image lies in the stored one.
 *
 * @param rect In display orientation, px.
 * @param stored Size of the stored image, px.
 */
export function toStoredRect(rect: Rect, orientation: Orientation, stored: Size): Rect {
  const { left, top, width, height } = rect
  const right = (extent: number) => extent - left - width
  const bottom = (extent: number) => extent - top - height
  switch (orientation) {
    case 1:
      return rect
    case 2:
      return { left: right(stored.width), top, width, height }
    case 3:
      return { left: right(stored.width), top: bottom(stored.height), width, height }
    case 4:
      return { left, top: bottom(stored.height), width, height }
    case 5:
      return { left: top, top: left, width: height, height: width }
    case 6:
      return { left: top, top: right(stored.height), width: height, height: width }
    case 7:
      return { left: bottom(stored.width), top: right(stored.height), width: height, height: width }
    case 8:
      return { left: bottom(stored.width), top: left, width: height, height: width }
  }
}
