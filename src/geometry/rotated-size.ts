import type { Size } from './size.ts'

/**
 * Size of the upright rectangle around `size` turned by `degrees`, as the pixel library rounds it.
 *
 * @param degrees Clockwise, any number.
 */
export function rotatedSize(size: Size, degrees: number): Size {
  const radians = (degrees * Math.PI) / 180
  const cos = Math.cos(radians)
  const sin = Math.sin(radians)
  const { width: w, height: h } = size
  const xs = [0, w * cos, -h * sin, w * cos - h * sin]
  const ys = [0, w * sin, h * cos, w * sin + h * cos]
  return { width: extent(xs), height: extent(ys) }
}

function extent(values: readonly number[]): number {
  return Math.max(1, Math.round(Math.max(...values) - Math.min(...values)))
}
