import type { Sharp, SharpOptions } from 'sharp'
import { SluiceError } from '../errors/index.ts'
import { type Size, turnsOf } from '../geometry/index.ts'
import {
  findOperation,
  groupPasses,
  type Pass,
  type Pixels,
  type Raster,
  type ResolvedStep,
  rasterAfter,
  resolveSteps,
  type Tools,
} from '../operations/index.ts'
import type { Plan } from '../recipe/index.ts'
import { encode } from './encode.ts'
import { keepMetadata } from './metadata.ts'
import { sharp } from './pixel-library.ts'
import { bufferOf, createTools, pixelsOf, rasterOf } from './tools.ts'

export interface Made {
  readonly data: Buffer
  /** One frame, px. */
  readonly width: number
  readonly height: number
  readonly frames: number
}

/**
 * Makes a variant: decode, passes, encode.
 *
 * @param plan From `createPlan`; trusted.
 * @param bodies The source, then the further inputs in the plan's order.
 * @throws {SluiceError} `image-broken` for whatever the decoders refuse.
 */
export async function runPlan(plan: Plan, bodies: readonly Buffer[]): Promise<Made> {
  const [source, ...inputs] = bodies
  if (source === undefined) throw new SluiceError('internal', 'A plan came without its source')
  const tools = createTools({ inputs, bitDepth: plan.base.bitDepth })
  try {
    return plan.frames > 1 ? await runAnimation(plan, source, tools) : await runStill(plan, source, tools)
  } catch (error) {
    if (error instanceof SluiceError) throw error
    throw new SluiceError('image-broken', 'Cannot decode this image: it is truncated or corrupt', {
      cause: error,
      internal: String(error),
    })
  }
}

async function runStill(plan: Plan, source: Buffer, tools: Tools): Promise<Made> {
  const { base } = plan
  let passes = plan.passes
  let image: Sharp
  let direct = base.fused && passes.length <= 1
  if (base.fused) {
    image = await runFirstPass(plan, source, tools)
    passes = passes.slice(1)
  } else {
    let stored = open(plan, source)
    // Only a reference plan has passes on the stored raster that are not joined to the decoder.
    for (const pass of passes.slice(0, base.stepsBeforeOrientation)) {
      stored = await runSteps(pass.steps, rasterOf(await pixelsOf(stored, base.bitDepth)), tools, plan)
    }
    passes = passes.slice(base.stepsBeforeOrientation)
    const upright =
      base.stepsBeforeOrientation === 0 ? stored : rasterOf(await pixelsOf(stored, base.bitDepth))
    image = rasterOf(await pixelsOf(orient(upright, base.orientation), base.bitDepth))
    direct = false
  }
  // A pipeline over raw pixels takes one more pass for free; one that has run a pass is materialised first.
  let pending = base.fused
  while (passes.length > 0) {
    const [pass, ...rest] = passes as [Pass, ...Pass[]]
    const pixels =
      pending || pass.steps[0]?.planned.measured === true ? await pixelsOf(image, base.bitDepth) : undefined
    const settled = pixels === undefined ? { pass, rest } : await settle(plan, pass, rest, pixels, tools)
    if (pixels !== undefined) image = rasterOf(pixels)
    passes = settled.rest
    if (settled.pass === undefined) {
      pending = false
      continue
    }
    image = await runSteps(settled.pass.steps, image, tools, plan)
    pending = true
  }
  const kept = await keepMetadata(image, { policy: plan.output.metadata, source, direct })
  const { data, info } = await encode(kept, plan.output).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, frames: 1 }
}

async function runAnimation(plan: Plan, source: Buffer, tools: Tools): Promise<Made> {
  let strip = await pixelsOf(open(plan, source), 8)
  let passes = plan.passes
  while (passes.length > 0) {
    const [pass, ...rest] = passes as [Pass, ...Pass[]]
    const settled = await settle(plan, pass, rest, frameOf(strip, plan.frames, 0), tools)
    passes = settled.rest
    const ready = settled.pass
    if (ready === undefined) continue
    if (ready.steps.every(({ step }) => findOperation(step.op)?.stripSafe === true)) {
      strip = await tools.pixels(await runSteps(ready.steps, rasterOf(strip), tools, plan))
      continue
    }
    const frames: Pixels[] = []
    for (let i = 0; i < plan.frames; i++) {
      const frame = rasterOf(frameOf(strip, plan.frames, i))
      frames.push(await tools.pixels(await runSteps(ready.steps, frame, tools, plan)))
    }
    strip = join(frames)
  }
  const pageHeight = strip.height / plan.frames
  const { data: pixels, width, height, channels } = strip
  const image = sharp(bufferOf(pixels), {
    raw: { width, height, channels, pageHeight },
    limitInputPixels: false,
  })
  const { data } = await encode(image, plan.output).toBuffer({ resolveWithObject: true })
  return { data, width, height: pageHeight, frames: plan.frames }
}

function open({ base, frames }: Plan, source: Buffer): Sharp {
  const options: SharpOptions = {
    failOn: 'warning',
    // The parent held the header against its own limits; this guards against a header that lied to it.
    limitInputPixels: Math.max(base.stored.width * base.stored.height * frames, 1) + 1,
    pages: frames > 1 ? -1 : 1,
    sequentialRead: true,
  }
  return sharp(source, options)
}

/** The first pass on the encoded source: leading steps on the stored raster, orientation, the rest. */
async function runFirstPass(plan: Plan, source: Buffer, tools: Tools): Promise<Sharp> {
  const steps = plan.passes[0]?.steps ?? []
  const { stepsBeforeOrientation: before, orientation } = plan.base
  const leading = await runSteps(steps.slice(0, before), open(plan, source), tools, plan)
  return runSteps(steps.slice(before), orient(leading, orientation), tools, plan)
}

function orient(image: Sharp, orientation: Plan['base']['orientation']): Sharp {
  const { flip, flop, rotate } = turnsOf(orientation)
  const flipped = flip ? image.flip() : image
  const flopped = flop ? flipped.flop() : flipped
  return rotate === 0 ? flopped : flopped.rotate(rotate)
}

async function runSteps(
  steps: readonly ResolvedStep[],
  image: Sharp,
  tools: Tools,
  { profile }: Plan,
): Promise<Sharp> {
  let current = image
  for (const { step, planned, inputs, input } of steps) {
    const operation = findOperation(step.op)
    if (operation === undefined) throw new SluiceError('internal', `No executor for "${step.op}"`)
    current = await operation.run({
      image: current,
      raster: input,
      params: step,
      planned,
      inputs,
      tools,
      profile,
    })
  }
  return current
}

/** Looks at the pixels where a step must, and plans again what depends on it. */
async function settle(
  plan: Plan,
  pass: Pass,
  rest: readonly Pass[],
  pixels: Pixels,
  tools: Tools,
): Promise<{ pass: Pass | undefined; rest: readonly Pass[] }> {
  const [first, ...others] = pass.steps
  if (first === undefined || first.planned.measured !== true) return { pass, rest }
  const operation = findOperation(first.step.op)
  if (operation?.measure === undefined) throw new SluiceError('internal', `Cannot measure "${first.step.op}"`)
  const input = { ...first.input, size: { width: pixels.width, height: pixels.height }, exact: true }
  const { profile } = plan
  const planned = await operation.measure({
    pixels,
    raster: input,
    params: first.step,
    planned: first.planned,
    inputs: first.inputs,
    tools,
    profile,
  })
  const measured: ResolvedStep = { ...first, planned, input }
  const after = rasterAfter(input, planned)
  const remaining = [...others, ...rest.flatMap(({ steps }) => steps)]
  // Steps planned on upper bounds are planned again on what is there; those on exact sizes stand.
  const settled = first.planned.exact ? remaining : await resolveAgain(remaining, after, profile, tools)
  const [next, ...more] = groupPasses(planned.noop === true ? settled : [measured, ...settled])
  return { pass: next, rest: more }
}

/** Plans the recipe's own steps behind `remaining` once more; several parts of one wish are one step again. */
async function resolveAgain(
  remaining: readonly ResolvedStep[],
  raster: Raster,
  profile: Plan['profile'],
  tools: Tools,
): Promise<readonly ResolvedStep[]> {
  const wishes = remaining.filter(({ index }, at) => remaining[at - 1]?.index !== index)
  const used = wishes.flatMap(({ inputs }) => inputs)
  const facts = await Promise.all(
    used.map(async (index) => ({ size: sizeOf(await tools.input(index)), alpha: true })),
  )
  const steps = wishes.map(({ wish }) => wish)
  // `inputsOf` speaks of positions in `facts`; what the steps run with are the job's own numbers.
  const resolved = resolveSteps(steps, raster, {
    profile,
    inputs: facts,
    inputsOf: (step) => {
      const at = steps.indexOf(step)
      const before = wishes.slice(0, at).reduce((sum, { inputs }) => sum + inputs.length, 0)
      return wishes[at]?.inputs.map((_, i) => before + i) ?? []
    },
  })
  return resolved.map((step) => ({ ...step, inputs: step.inputs.map((at) => used[at] as number) }))
}

function sizeOf({ width, height }: Pixels): Size {
  return { width, height }
}

function frameOf(strip: Pixels, frames: number, index: number): Pixels {
  const height = strip.height / frames
  const bytes = strip.width * height * strip.channels
  return { ...strip, height, data: strip.data.subarray(index * bytes, (index + 1) * bytes) }
}

function join(frames: readonly Pixels[]): Pixels {
  const [first] = frames
  if (
    first === undefined ||
    frames.some(
      ({ width, height, channels }) =>
        width !== first.width || height !== first.height || channels !== first.channels,
    )
  ) {
    throw new SluiceError('internal', 'Frames of one animation came out in different sizes')
  }
  return {
    ...first,
    height: first.height * frames.length,
    data: Buffer.concat(frames.map(({ data }) => data)),
  }
}
