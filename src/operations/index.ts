import { background } from './background.ts'
import { blur } from './blur.ts'
import { contrast } from './contrast.ts'
import { crop } from './crop.ts'
import type { Operation } from './define.ts'
import { extend } from './extend.ts'
import { flip } from './flip.ts'
import { gamma } from './gamma.ts'
import { grayscale } from './grayscale.ts'
import { modulate } from './modulate.ts'
import { negate } from './negate.ts'
import { overlay } from './overlay.ts'
import { pixelate } from './pixelate.ts'
import { resize } from './resize.ts'
import { rotate } from './rotate.ts'
import { roundCorners } from './round-corners.ts'
import { sharpen } from './sharpen.ts'
import { threshold } from './threshold.ts'
import { tint } from './tint.ts'
import { trim } from './trim.ts'

export type { Orientation, Rect, Size } from '../geometry/index.ts'
export * from './define.ts'

/** Every operation, in the order in which the steps of one unordered stage are applied. */
export const operations: readonly Operation[] = [
  crop,
  trim,
  rotate,
  flip,
  resize,
  blur,
  sharpen,
  modulate,
  contrast,
  gamma,
  grayscale,
  tint,
  negate,
  threshold,
  pixelate,
  overlay,
  roundCorners,
  extend,
  background,
] as unknown as readonly Operation[]

const byName = new Map(operations.map((operation) => [operation.name, operation]))

/** The operation called `name`, or `undefined`. */
export function findOperation(name: string): Operation | undefined {
  return byName.get(name)
}

export { type Colour, canonicalColour, isColour, parseColour } from './colour.ts'
export { BLEND_MODES } from './overlay.ts'
export { type GroupOptions, groupPasses, type Pass } from './passes.ts'
export { type ResolvedStep, type ResolveOptions, rasterAfter, resolveSteps } from './resolve.ts'
export { CANONICAL_NUMBER, clip, readNumber, writeNumber } from './url-text.ts'
