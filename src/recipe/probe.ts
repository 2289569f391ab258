import type { Orientation, Size } from '../operations/index.ts'

/** Formats recognised by content. Those after `svg` are recognised to be named in a refusal. */
export const INPUT_FORMATS = ['jpeg', 'png', 'gif', 'webp', 'avif', 'tiff', 'svg'] as const
export type InputFormat = (typeof INPUT_FORMATS)[number]

/** What the header of a source says; nothing of it needs a decode. Plain JSON. */
export interface Probe {
  readonly format: InputFormat
  readonly bytes: number
  /** As stored, px, one frame. */
  readonly stored: Size
  /** As displayed, after the orientation tag, px, one frame. */
  readonly size: Size
  readonly orientation: Orientation
  readonly frames: number
  /** Frame delays, ms; empty for stills. */
  readonly delays: readonly number[]
  /** Times an animation plays; 0 = forever. */
  readonly loop: number
  /** JPEG: number of scans (SOS markers). Others: 1. */
  readonly scans: number
  readonly progressive: boolean
  /** WebP: coded without loss, so that it cannot be decoded at a smaller scale. Others: false. */
  readonly lossless: boolean
  readonly alpha: boolean
  /** Colour channels and alpha as stored: 1–5. */
  readonly channels: number
  /** libvips interpretation of the stored pixels: `srgb`, `b-w`, `cmyk`, `rgb16`, `grey16`, `lab`… */
  readonly space: string
  /** Bits per channel as stored: 1, 2, 4, 8, 10, 12, 16, 32. */
  readonly bitDepth: number
  readonly subsampling: string | undefined
  /** Description of the embedded ICC profile; `undefined` when there is none. */
  readonly icc: string | undefined
  /** Facts from EXIF; GPS only when asked. */
  readonly exif: {
    readonly date?: string
    readonly make?: string
    readonly model?: string
    readonly gps?: { readonly latitude: number; readonly longitude: number }
  }
}
