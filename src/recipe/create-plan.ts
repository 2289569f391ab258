import { LimitError, SluiceError } from '../errors/index.ts'
import { area, orientSize } from '../geometry/index.ts'
import {
  findOperation,
  groupPasses,
  type Orientation,
  type Pass,
  type Raster,
  type ResolvedStep,
  rasterAfter,
  resolveSteps,
  type Size,
  type Step,
} from '../operations/index.ts'
import { checkProbe } from './check-probe.ts'
import { estimate } from './cost.ts'
import { recipeSources } from './normalize.ts'
import { type Limits, pixelLimit } from './options.ts'
import type { BaseRaster, Plan, ResolvedOutput } from './plan.ts'
import type { Probe } from './probe.ts'
import type { Output, OutputFormat, Recipe } from './recipe.ts'

export interface PlanOptions {
  readonly recipe: Recipe
  readonly probe: Probe
  /** Probes of `recipeSources(recipe)`, in that order. */
  readonly inputs?: readonly Probe[]
  /** `off` ignores the orientation tag. */
  readonly orient?: 'auto' | 'off'
  readonly limits: Limits
  /** Largest plan that can ever be admitted, bytes. */
  readonly maxPlanBytes?: number
  /** Format of a recipe that says none, before the source's own: `POST /upload` without a recipe gives jpeg. */
  readonly defaultFormat?: OutputFormat
  /** Decides for `format: auto`, by what the client takes. */
  readonly auto?: AutoOutput
  /** One pass per step: the reference for tests of fusion. */
  readonly separate?: boolean
}

/** How an output that was left to the client's wishes is settled. */
export interface AutoOutput {
  /** Format for a source with so many frames and a result with or without alpha. */
  format(facts: { readonly alpha: boolean; readonly frames: number }): OutputFormat
  /** Quality 1–100 when the recipe says none; `undefined`: the format's own. */
  quality(): number | undefined
}

/**
 * Resolves a recipe against a probe: concrete pixels, passes, memory and CPU. Pure, and no pixel is decoded.
 *
 * @throws {LimitError} `source-too-large`, `result-too-large` before anything costs.
 * @throws {SluiceError} `cost-exceeded` for a plan over `maxPlanBytes`; `parameter-invalid`.
 */
export function createPlan(options: PlanOptions): Plan {
  const { recipe, probe, limits, inputs = [], separate = false } = options
  checkProbe(probe, limits, 1)
  for (const input of inputs) checkProbe(input, limits, 1)
  const profile = recipe.output.profile ?? 'fast'
  const orientation: Orientation = options.orient === 'off' ? 1 : probe.orientation
  const size = orientSize(probe.stored, orientation)
  const bitDepth = isDeep(recipe, probe) ? 16 : 8
  const source: Raster = { size, alpha: probe.alpha, bitDepth, frames: 1, exact: true }
  const refs = recipeSources(recipe)
  const steps = resolveSteps(recipe.steps, source, {
    profile,
    inputs: inputs.map(({ size, alpha }) => ({ size, alpha })),
    inputsOf: (step) => (findOperation(step.op)?.sources?.(step) ?? []).map((ref) => refs.indexOf(ref)),
  })
  const result = steps.reduce((raster, { planned }) => rasterAfter(raster, planned), source)
  const { auto } = options
  const isAuto = recipe.output.format === 'auto' && auto !== undefined
  const format = isAuto
    ? auto.format({ alpha: result.alpha, frames: probe.frames })
    : chooseFormat(recipe.output, probe, result.alpha, options.defaultFormat)
  const animated = probe.frames > 1 && (format === 'gif' || format === 'webp')
  const frames = animated ? probe.frames : 1
  checkProbe(probe, limits, frames)
  for (const { planned } of steps) checkSize(planned.size, frames, limits)
  checkSize(result.size, frames, limits)
  const framed = steps.map((step) => ({ ...step, input: { ...step.input, frames } }))
  const { base, passes } = layOut(framed, { probe, orientation, size, bitDepth, frames, limits, separate })
  const quality = recipe.output.quality ?? (isAuto ? auto.quality() : undefined)
  const wished = quality === undefined ? recipe.output : { ...recipe.output, quality }
  const output = resolveOutput(wished, format, probe, result, frames)
  const cost = estimate(probe, base, passes, output, result.size, frames)
  const inputBytes = inputs.reduce((sum, input) => sum + input.bytes + 5 * area(input.size), 0)
  const total = { ...cost, memoryBytes: cost.memoryBytes + inputBytes }
  if (options.maxPlanBytes !== undefined && total.memoryBytes > options.maxPlanBytes) {
    const mb = (bytes: number) => Math.ceil(bytes / 1e6)
    throw new SluiceError(
      'cost-exceeded',
      `Cannot run this recipe on this image: it needs about ${mb(total.memoryBytes)} MB, the budget allows ${mb(options.maxPlanBytes)} MB`,
      { facts: { limit: 'memory', neededBytes: total.memoryBytes, allowedBytes: options.maxPlanBytes } },
    )
  }
  return { base, passes, output, profile, size: result.size, exact: result.exact, frames, estimate: total }
}

interface Layout {
  readonly probe: Probe
  readonly orientation: Orientation
  readonly size: Size
  readonly bitDepth: 8 | 16
  readonly frames: number
  readonly limits: Limits
  readonly separate: boolean
}

/** Groups steps into passes and decides what the first pass shares with the decoder. */
function layOut(
  steps: readonly ResolvedStep[],
  layout: Layout,
): { base: BaseRaster; passes: readonly Pass[] } {
  const { probe, orientation, size, bitDepth, frames, limits, separate } = layout
  const grouped = splitForOrientation(groupPasses(steps, { separate }), orientation)
  const first = grouped[0]?.steps ?? []
  const scalesOnLoad =
    (probe.format === 'jpeg' || probe.format === 'webp' || probe.format === 'svg') &&
    first[0]?.step.op === 'resize'
  const fused = frames === 1 && bitDepth === 8 && joinsDecoder(probe, first) && (!separate || scalesOnLoad)
  // The reference keeps the same order of turns: what leads is done on the stored raster there, too.
  const leading = separate && !scalesOnLoad ? grouped.slice(0, 2).flatMap(({ steps }) => steps) : first
  const joins =
    fused || (separate && frames === 1 && bitDepth === 8 && joinsDecoder(probe, leading.slice(0, 1)))
  const before = joins && orientation !== 1 ? leadingSteps(leading) : 0
  let left = before
  const passes = grouped.map((pass) => {
    const count = Math.min(left, pass.steps.length)
    left -= count
    return count === 0 ? pass : storedPass(pass, count, orientation, probe.stored)
  })
  const scale = first[0]?.step.op === 'resize' ? first[0].planned.size : undefined
  const rasterised = probe.format === 'svg' ? (fused && scale !== undefined ? scale : size) : undefined
  if (rasterised !== undefined) {
    const { max, setting } = pixelLimit(limits, 'svg', false)
    if (area(rasterised) > max) throw LimitError.pixels(area(rasterised), max, setting)
  }
  const shrink = fused && probe.format === 'jpeg' && scale !== undefined ? jpegShrink(size, scale) : 1
  const base: BaseRaster = {
    format: probe.format,
    stored: probe.stored,
    size,
    orientation,
    stepsBeforeOrientation: before,
    shrink,
    fused,
    frames,
    bitDepth,
    alpha: probe.alpha,
    ...(rasterised === undefined ? {} : { rasterised }),
  }
  return { base, passes }
}

/** The turns of an orientation and those of a step cannot share one pipeline: it has one place for each. */
function splitForOrientation(passes: readonly Pass[], orientation: Orientation): readonly Pass[] {
  const [first, ...rest] = passes
  if (first === undefined || orientation === 1) return passes
  const turning = ({ step }: ResolvedStep) => step.op === 'flip' || step.op === 'rotate'
  const at = first.steps.findIndex(turning)
  if (at < 0) return passes
  // Grouped again: without the scale that led, a crop among them may need a pass of its own.
  return [{ steps: first.steps.slice(0, at) }, ...groupPasses(first.steps.slice(at)), ...rest]
}

function leadingSteps(steps: readonly ResolvedStep[]): number {
  const [first, second] = steps
  if (first?.step.op === 'crop') return second?.step.op === 'resize' ? 2 : 1
  return first?.step.op === 'resize' ? 1 : 0
}

function storedPass(pass: Pass, count: number, orientation: Orientation, stored: Size): Pass {
  return {
    steps: pass.steps.map((step, index) => {
      const toStored = findOperation(step.step.op)?.beforeOrientation
      if (index >= count || toStored === undefined) return step
      return { ...step, planned: toStored(step.planned, orientation, stored) }
    }),
  }
}

/** Steps that treat every band alike, so that grey may still be one band when they run. */
const BANDWISE = new Set(['crop', 'resize', 'flip', 'rotate', 'blur'])

/** Whether the first pass may read the encoded source: only where the pixels are those of two passes. */
function joinsDecoder(probe: Probe, steps: readonly ResolvedStep[]): boolean {
  if (probe.bitDepth > 8 || steps.some(({ planned }) => planned.measured === true || planned.linear === true))
    return false
  if (probe.space === 'srgb') return true
  return (probe.space === 'b-w' || probe.space === 'cmyk') && steps.every(({ step }) => BANDWISE.has(step.op))
}

/** The shrink that the pixel library chooses while it loads a JPEG for this scale (sharp 0.35, `pipeline.cc`). */
function jpegShrink(from: Size, to: Size): 1 | 2 | 4 | 8 {
  const factor = Math.min(from.width / to.width, from.height / to.height)
  const wished = factor >= 8 ? 8 : factor >= 4 ? 4 : factor >= 2 ? 2 : 1
  // One step less right at the factor: libjpeg rounds sizes there.
  return (wished > 1 && Math.trunc(factor) === wished ? wished / 2 : wished) as 1 | 2 | 4 | 8
}

function isDeep(recipe: Recipe, probe: Probe): boolean {
  const { depth, format } = recipe.output
  const target = format ?? (probe.format === 'png' ? 'png' : undefined)
  const keeps = depth === 16 && (target === 'png' || target === 'tiff')
  return (
    keeps && probe.bitDepth > 8 && recipe.steps.every((step: Step) => findOperation(step.op)?.deep === true)
  )
}

function chooseFormat(
  output: Output,
  probe: Probe,
  alpha: boolean,
  fallback: OutputFormat | undefined,
): OutputFormat {
  if (output.format !== undefined && output.format !== 'auto') return output.format
  if (output.format === undefined && fallback !== undefined) return fallback
  const own = probe.format
  if (output.format === undefined && own !== 'tiff' && own !== 'svg') return own
  if (own === 'gif' && probe.frames > 1) return 'gif'
  return alpha ? 'png' : 'jpeg'
}

function checkSize({ width, height }: Size, frames: number, limits: Limits): void {
  const edge = Math.max(width, height)
  if (edge > limits.maxEdge) throw LimitError.result('edge', edge, limits.maxEdge)
  if (width * height > limits.maxResultPixels)
    throw LimitError.result('pixels', width * height, limits.maxResultPixels)
  if (frames > 1 && width * height * frames > limits.maxFramePixels) {
    throw LimitError.result('frame-pixels', width * height * frames, limits.maxFramePixels)
  }
}

const QUALITY: Readonly<Record<OutputFormat, number>> = {
  jpeg: 80,
  png: 100,
  webp: 78,
  avif: 55,
  gif: 100,
  tiff: 80,
}
const EFFORT: Readonly<Record<OutputFormat, number>> = { jpeg: 4, png: 7, webp: 2, avif: 2, gif: 4, tiff: 4 }
/** Above this, two-pass Huffman coding costs more memory than its ~4 % of bytes are worth (12 MP: +65 MB). */
const OPTIMISE_UP_TO_PIXELS = 1_500_000

function resolveOutput(
  output: Output,
  format: OutputFormat,
  probe: Probe,
  result: Raster,
  frames: number,
): ResolvedOutput {
  const background = output.background ?? 'ffffff'
  const progressive = output.progressive ?? false
  return {
    format,
    quality: output.quality ?? QUALITY[format],
    effort: output.effort ?? EFFORT[format],
    progressive,
    subsampling: output.subsampling ?? '4:2:0',
    lossless: output.lossless ?? false,
    nearLossless: output.nearLossless ?? false,
    palette: output.palette ?? false,
    depth: format === 'png' || format === 'tiff' ? (output.depth ?? 8) : 8,
    metadata: output.metadata ?? 'none',
    background: background.length === 6 ? `${background}ff` : background,
    flatten: format === 'jpeg' && result.alpha,
    optimiseCoding: progressive || area(result.size) <= OPTIMISE_UP_TO_PIXELS,
    delays: frames > 1 ? probe.delays : [],
    loop: probe.loop,
  }
}
