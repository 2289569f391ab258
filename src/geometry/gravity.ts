import { clamp, type Rect, type Size } from './size.ts'

/** Compass words: which edge or corner is kept. */
export const COMPASS = [
  'centre',
  'north',
  'northeast',
  'east',
  'southeast',
  'south',
  'southwest',
  'west',
  'northwest',
] as const
export type Compass = (typeof COMPASS)[number]

/** A point as fractions of width and height, 0–1. */
export interface FocalPoint {
  readonly x: number
  readonly y: number
}

/** The focal point that a compass word stands for. */
export function compassPoint(word: Compass): FocalPoint {
  const x = word.endsWith('east') ? 1 : word.endsWith('west') ? 0 : 0.5
  const y = word.startsWith('north') ? 0 : word.startsWith('south') ? 1 : 0.5
  return { x, y }
}

/**
 * A rectangle of `size` inside `image`, anchored at a compass word: its edges touch the image's.
 *
 * @param size Wished size, px; cut to the image.
 */
export function anchoredRect(image: Size, size: Size, word: Compass): Rect {
  const { x, y } = compassPoint(word)
  const width = Math.min(size.width, image.width)
  const height = Math.min(size.height, image.height)
  return {
    left: Math.round((image.width - width) * x),
    top: Math.round((image.height - height) * y),
    width,
    height,
  }
}

/** A rectangle of `size` inside `image`, centred on a focal point as far as the edges allow. */
export function focalRect(image: Size, size: Size, focus: FocalPoint): Rect {
  const width = Math.min(size.width, image.width)
  const height = Math.min(size.height, image.height)
  const left = clamp(Math.round(image.width * focus.x - width / 2), 0, image.width - width)
  const top = clamp(Math.round(image.height * focus.y - height / 2), 0, image.height - height)
  return { left, top, width, height }
}

/** The part of `rect` that lies inside `image`, or `undefined` when nothing does. */
export function intersect(image: Size, rect: Rect): Rect | undefined {
  const left = Math.max(0, rect.left)
  const top = Math.max(0, rect.top)
  const width = Math.min(image.width, rect.left + rect.width) - left
  const height = Math.min(image.height, rect.top + rect.height) - top
  return width > 0 && height > 0 ? { left, top, width, height } : undefined
}
