import type { Sharp } from 'sharp'
import type { z } from 'zod'
import type { Orientation, Rect, Size } from '../geometry/index.ts'

/** The schema library, handed to `params` by those who build schemas. */
export type Zod = typeof z

/** A source named inside a recipe, as canonical text: `photos/logo.png`, `name:path`. */
export type SourceRef = string

/** What is known of the picture that a step receives, before any pixel exists. */
export interface Raster {
  /** Size of one frame, px. */
  readonly size: Size
  readonly alpha: boolean
  /** 8, or 16 when the recipe asked for 16-bit output of a 16-bit source. */
  readonly bitDepth: 8 | 16
  /** Frames that run through the steps; 1 for a still. */
  readonly frames: number
  /** `false` when `size` is an upper bound, because an earlier step depends on pixels. */
  readonly exact: boolean
}

/** How resampling is done: straight on the encoded values, or in linear light. */
export type ResamplingProfile = 'fast' | 'quality'

/** Facts of a further source (overlay, mask), in the order of `sources()`. */
export interface InputFacts {
  /** Displayed size, px. */
  readonly size: Size
  readonly alpha: boolean
}

export interface PlanContext {
  readonly inputs: readonly InputFacts[]
  readonly profile: ResamplingProfile
}

/**
 * A step made concrete. Plain JSON: it crosses the process border.
 *
 * Every field beside these is the operation's own (target sizes, rectangles) and read by its `run`.
 */
export interface PlannedStep {
  /** Size after the step, px; an upper bound when `exact` is `false`. */
  readonly size: Size
  readonly exact: boolean
  /** Whether the result has alpha; absent: as before. */
  readonly alpha?: boolean
  /** The concrete rectangle kept, px in the input of the step (crop, trim). */
  readonly rect?: Rect
  /** The exact size that is scaled to (resize). */
  readonly scale?: Size
  /** Bytes of working memory beside the input and the output raster. */
  readonly memoryBytes?: number
  /** CPU of the step per pixel of its larger side, in ns; default 10. */
  readonly nsPerPixel?: number
  /**
   * Places where this step may run inside one pipeline of the pixel library, which applies its options in a
   * fixed order (`SLOTS`). Two steps share a pass when a later step has a later slot. Absent or empty: a pass
   * of its own. Only claim a slot where the fused result is bit-identical to two passes; a property test holds
   * every operation to it.
   */
  readonly slots?: readonly number[]
  /** The step changes nothing here: the planner drops it. */
  readonly noop?: boolean
  /** Whether `measure` must look at the pixels before `run`. */
  readonly measured?: boolean
  /** Anything else the operation settled while planning. */
  readonly [own: string]: unknown
}

/** The fixed order in which one sharp 0.35 pipeline applies what a pass may contain (read from its source). */
export const SLOTS = {
  cropBefore: 10,
  resize: 20,
  flip: 30,
  rotateRight: 40,
  cropAfter: 50,
  extend: 60,
  blur: 80,
} as const

/** Uncompressed pixels, row by row, bands interleaved. */
export interface Pixels {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  readonly channels: 1 | 2 | 3 | 4
  readonly bitDepth: 8 | 16
}

/** What the worker lends to an executor. */
export interface Tools {
  /** A pipeline over raw pixels. */
  raster(pixels: Pixels): Sharp
  /** A pipeline over a flat canvas. `background` is `{ r, g, b, alpha }`, alpha in 0–1. */
  canvas(size: Size, background: { r: number; g: number; b: number; alpha: number }): Sharp
  /** The pixels that a pipeline makes. */
  pixels(image: Sharp): Promise<Pixels>
  /** Puts unpremultiplied RGBA pixels on top. `left` and `top` in px, or `tile` from an anchor. */
  composite(
    image: Sharp,
    layer: Pixels,
    options: { blend: string; left?: number; top?: number; tile?: boolean; gravity?: string },
  ): Sharp
  /** Further source number `index`: decoded, oriented, converted to sRGB, with alpha. */
  input(index: number): Promise<Pixels>
}

export interface RunContext<P> {
  readonly image: Sharp
  /** Facts of what `image` yields. */
  readonly raster: Raster
  readonly params: P
  readonly planned: PlannedStep
  /** Indices into the job's further inputs, in the order of `sources()`. */
  readonly inputs: readonly number[]
  readonly tools: Tools
  readonly profile: ResamplingProfile
}

export interface MeasureContext<P> extends Omit<RunContext<P>, 'image'> {
  /** The first frame, before this step. */
  readonly pixels: Pixels
}

/** Native URL keys of an operation: the parameter a key fills, or a reader for composed values. */
export type UrlKey = string | UrlKeyCodec

/** A key whose text holds several parameters, such as `crop=10:20:400:300`. */
export interface UrlKeyCodec {
  /** Parameters this key fills. */
  readonly params: readonly string[]
  /** Decoded text of the value to parameters; throws `parameter-invalid`. */
  read(text: string): Record<string, unknown>
  /** Parameters to the text of the value, or `undefined` where this key has nothing to say. */
  write(params: Record<string, unknown>): string | undefined
  /** How the value is written, for people: `left:top:width:height`. */
  readonly form: string
}

export interface Example<P> {
  readonly params: Partial<P>
  readonly from: Size
  readonly to: Size
}

/**
 * One operation, defined once: schema, URL keys, pure geometry, cost and executor.
 *
 * The file of an operation has no runtime import of sharp or Node: browsers load it for its schema and plan.
 */
export interface Operation<P extends object = Record<string, unknown>> {
  /** camelCase, the `op` of a step. */
  readonly name: string
  /** One line for the reference. */
  readonly summary: string
  /**
   * Lazy, and given the library: the image worker gets validated parameters and never loads or builds a schema.
   * Every default is in here.
   */
  readonly params: (z: Zod) => z.ZodObject
  readonly urlKeys: Readonly<Record<string, UrlKey>>
  /** Parameters in CSS px: multiplied by the order's DPR before canonicalisation. */
  readonly cssPixels?: readonly (keyof P & string)[]
  /** `sequential` streams rows; `random` needs the whole raster in memory. */
  readonly access?: 'sequential' | 'random'
  /** Whether it may run on all frames stacked in one strip; only point operations are. Proven by a test. */
  readonly stripSafe?: boolean
  /** Keeps 16 bits per channel; a recipe with any other step works on 8. */
  readonly deep?: boolean
  readonly examples: readonly Example<P>[]
  /** Further sources that this step needs. */
  sources?(params: P): readonly SourceRef[]
  /**
   * The same wish as simpler steps: `cover` is a scale and a crop. Called before `plan`, on what is known then.
   * Returning `[{ op: own name, … }]` means: plan me as I am.
   */
  expand?(params: P, input: Raster, context: PlanContext): readonly Step[]
  /** Pure: what comes out, decided without pixels. */
  plan(params: P, input: Raster, context: PlanContext): PlannedStep
  /**
   * The same step on the stored raster, before the orientation tag is applied, so that a leading crop or scale
   * needs no turned full-size raster. `stored` is the size before orientation.
   */
  beforeOrientation?(planned: PlannedStep, orientation: Orientation, stored: Size): PlannedStep
  /** Settles what depends on pixels; runs once, on the first frame, when `planned.measured`. */
  measure?(context: MeasureContext<P>): Promise<PlannedStep>
  /** Runs in the worker. */
  run(context: RunContext<P>): Sharp | Promise<Sharp>
}

/** One step of a recipe: the operation's name and its parameters, side by side. */
export interface Step {
  readonly op: string
  readonly [param: string]: unknown
}

/** Keeps the parameter types of a definition together; see `Operation`. */
export function defineOperation<P extends object>(operation: Operation<P>): Operation<P> {
  return operation
}
