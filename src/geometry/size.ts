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
