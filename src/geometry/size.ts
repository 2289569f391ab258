/** Width and height, integer px, display orientation unless a name says `stored`. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** A rectangle inside an image, integer px. */
export interface Rect extends Size {
  readonly left: number
  readonly top: number
}

/** Pixels of an image of this size. */
export function area({ width, height }: Size): number {
  return width * height
}

/** `value`, or the nearer end of `low`–`high`. */
export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
