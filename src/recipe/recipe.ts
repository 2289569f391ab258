import type { ResamplingProfile, Step } from '../operations/index.ts'

export const OUTPUT_FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

export const METADATA_POLICIES = ['none', 'icc', 'copyright', 'all'] as const
/** `none` strips everything after conversion to sRGB; `icc` keeps the source's profile (no conversion). */
export type MetadataPolicy = (typeof METADATA_POLICIES)[number]

/** The encoded form of the result. All fields optional in a staged recipe; absent means the format's default. */
export interface Output {
  /** Absent: the source's own if it is jpeg, png, webp, gif or avif; else jpeg, or png with alpha. */
  readonly format?: OutputFormat | 'auto'
  /** 1–100. */
  readonly quality?: number
  /** Encoder effort, 0 (fast) – 9; mapped to each format's own range. */
  readonly effort?: number
  readonly progressive?: boolean
  readonly subsampling?: '4:2:0' | '4:4:4'
  readonly lossless?: boolean
  /** WebP near-lossless preprocessing. */
  readonly nearLossless?: boolean
  /** PNG: quantise to a palette. */
  readonly palette?: boolean
  /** PNG and TIFF: bits per channel. Default 8. */
  readonly depth?: 8 | 16
  readonly metadata?: MetadataPolicy
  /** `rrggbb` or `rrggbbaa`, lower case; what shows through when the target has no alpha. Default white. */
  readonly background?: string
  readonly profile?: ResamplingProfile
}

/** What to make: ordered steps and an output. Plain JSON, canonical, hashable. */
export interface Recipe {
  readonly steps: readonly Step[]
  readonly output: Output
}

/** A stage as written in a URL: steps hold only what was said, a preset is still a name. */
export interface Stage {
  readonly preset?: string
  readonly steps: readonly Step[]
}

/** A recipe as parsed, before presets and defaults. */
export interface StagedRecipe {
  readonly stages: readonly Stage[]
  readonly output: Output
}
