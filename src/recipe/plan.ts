import type { Orientation, Pass, ResamplingProfile, Size } from '../operations/index.ts'
import type { InputFormat } from './probe.ts'
import type { MetadataPolicy, OutputFormat } from './recipe.ts'

/** The source decoded and oriented, at a shrink that follows from source and recipe alone. */
export interface BaseRaster {
  readonly format: InputFormat
  readonly stored: Size
  readonly size: Size
  /** What must be applied; 1 when `orient=off`. */
  readonly orientation: Orientation
  /**
   * How many leading steps of the first pass run on the stored raster, before orientation (their `planned` are
   * already expressed in stored px).
   */
  readonly stepsBeforeOrientation: number
  /** JPEG: 1, 2, 4 or 8, chosen by the pixel library from the scale that follows at once. Others: 1. */
  readonly shrink: 1 | 2 | 4 | 8
  /** Whether the first pass reads the encoded source directly; else the base is materialised first. */
  readonly fused: boolean
  readonly frames: number
  readonly bitDepth: 8 | 16
  readonly alpha: boolean
  /** Size an SVG is rasterised at, px. */
  readonly rasterised?: Size
}

/** Output with every default settled. */
export interface ResolvedOutput {
  readonly format: OutputFormat
  readonly quality: number
  readonly effort: number
  readonly progressive: boolean
  readonly subsampling: '4:2:0' | '4:4:4'
  readonly lossless: boolean
  readonly nearLossless: boolean
  readonly palette: boolean
  readonly depth: 8 | 16
  readonly metadata: MetadataPolicy
  /** `rrggbbaa`. */
  readonly background: string
  /** Whether alpha must be flattened on `background`. */
  readonly flatten: boolean
  /** JPEG: two-pass Huffman optimisation; off for large results, where it costs ~6 bytes per pixel. */
  readonly optimiseCoding: boolean
  readonly delays: readonly number[]
  readonly loop: number
}

export interface Estimate {
  /** Growth of the worker's peak memory, bytes; never less than the truth. */
  readonly memoryBytes: number
  /** CPU, ms. */
  readonly cpuMs: number
}

/** A recipe resolved against a probe. Plain JSON: this is what the worker gets. */
export interface Plan {
  readonly base: BaseRaster
  readonly passes: readonly Pass[]
  readonly output: ResolvedOutput
  readonly profile: ResamplingProfile
  /** Result size of one frame, px. */
  readonly size: Size
  readonly exact: boolean
  readonly frames: number
  readonly estimate: Estimate
}
