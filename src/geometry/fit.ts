import { SluiceError } from '../errors/index.ts'
import type { Size } from './size.ts'

/** A target box, px; a missing side is unconstrained. */
export interface Box {
  readonly width?: number | undefined
  readonly height?: number | undefined
}

/**
 * Size of `source` scaled to lie inside `box`, keeping its aspect ratio.
 *
 * Each result side is rounded to the nearest integer and is at least 1 px, so a 4000×1 banner scaled to
 * width 100 keeps one row.
 *
 * @param source Size of the image, px, display orientation.
 * @param box Target box, px; at least one side.
 * @param enlarge Whether the result may exceed `source`. Default `false`.
 * @returns A new size, px; equal to `source` when the box is larger and `enlarge` is off.
 * @throws {SluiceError} `parameter-invalid` when `box` has neither side.
 * @see https://www.w3.org/TR/css-images-3/#cover-contain
 *
 * @example
 * fitInside({ width: 1200, height: 800 }, { width: 400 }) // { width: 400, height: 267 }
 */
export function fitInside(source: Size, box: Box, enlarge = false): Size {
  return scaleBy(source, box, enlarge, Math.min)
}

/**
 * Size of `source` scaled to cover `box`, keeping its aspect ratio; like `fitInside` otherwise.
 *
 * @example
 * fitOutside({ width: 1200, height: 800 }, { width: 400, height: 400 }) // { width: 600, height: 400 }
 */
export function fitOutside(source: Size, box: Box, enlarge = false): Size {
  return scaleBy(source, box, enlarge, Math.max)
}

function scaleBy(source: Size, box: Box, enlarge: boolean, pick: (a: number, b: number) => number): Size {
  const { width, height } = box
  if (width === undefined && height === undefined) {
    throw new SluiceError(
      'parameter-invalid',
      'Cannot resize without a width or a height: give "w", "h" or both',
    )
  }
  const byWidth = width === undefined ? undefined : width / source.width
  const byHeight = height === undefined ? undefined : height / source.height
  const factor =
    byWidth === undefined ? (byHeight as number) : byHeight === undefined ? byWidth : pick(byWidth, byHeight)
  if (factor >= 1 && !enlarge) return { width: source.width, height: source.height }
  // The side that sets the factor is the box's own: no rounding through the ratio.
  return {
    width: width !== undefined && factor === byWidth ? width : side(source.width * factor),
    height: height !== undefined && factor === byHeight ? height : side(source.height * factor),
  }
}

function side(length: number): number {
  return Math.max(1, Math.round(length))
}
