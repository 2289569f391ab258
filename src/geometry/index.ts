export { type Box, fitInside, fitOutside } from './fit.ts'
export {
  anchoredRect,
  COMPASS,
  type Compass,
  compassPoint,
  type FocalPoint,
  focalRect,
  intersect,
} from './gravity.ts'
export { type Orientation, orientSize, swapsSides, type Turns, toStoredRect, turnsOf } from './orientation.ts'
export { rotatedSize } from './rotated-size.ts'
export { area, clamp, type Rect, type Size } from './size.ts'
