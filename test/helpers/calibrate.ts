import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { parseRecipe } from '../../src/dialects/index.ts'
import type { Answer } from '../../src/engine/messages.ts'
import { createSandbox } from '../../src/engine/sandbox.ts'
import { WorkerProcess } from '../../src/engine/worker-process.ts'
import {
  createPlan,
  type InputFormat,
  limitsOptions,
  normalize,
  type Plan,
  type Probe,
} from '../../src/recipe/index.ts'
import { probeImage } from '../../src/worker/probe-image.ts'

/** A picture and what is made of it. */
export interface CalibrationCase {
  readonly name: string
  readonly source: SourceOptions
  /** Native recipe text. */
  readonly recipe: string
}

export interface SourceOptions {
  readonly format: InputFormat
  readonly megapixels: number
  readonly progressive?: boolean
  readonly chroma?: '4:2:0' | '4:4:4'
  readonly deep?: boolean
  readonly alpha?: boolean
  readonly orientation?: number
  readonly lossless?: boolean
  readonly frames?: number
}

/** Growth and estimate, bytes. */
export interface Calibration {
  readonly name: string
  /** Pixels of one frame, millions. */
  readonly megapixels: number
  /** Highest resident memory during the job less that of the idle process before it. */
  readonly grownBytes: number
  readonly estimatedBytes: number
}

const LAKE = readFileSync(new URL('../../samples/lake.jpg', import.meta.url))
const PLAN_BYTES = 4 * 1024 ** 3

/** Largest ratio of estimate to growth over `LOOSE_BELOW_MEGAPIXELS`. */
export const MAX_RATIO = 3
/** Below this, what a process adds anyway outweighs the picture. */
export const LOOSE_BELOW_MEGAPIXELS = 2
/** Memory is counted in pages that others may still share: a small growth is seen better more than once. */
const MAX_RUNS = 5

/**
 * Runs one job alone in a fresh worker and compares what the process grew by with the plan's estimate. A growth
 * that looks too small for the estimate is measured again; the largest counts.
 */
export async function calibrate({ name, source, recipe: text }: CalibrationCase): Promise<Calibration> {
  const bytes = await drawOnce(source)
  const probe: Probe = await probeImage(bytes, source.format)
  const { recipe } = parseRecipe(text)
  const limits = limitsOptions.parse({})
  const plan = createPlan({ recipe: normalize(recipe), probe, limits, maxPlanBytes: PLAN_BYTES })
  const estimatedBytes = plan.estimate.memoryBytes
  let grownBytes = 0
  for (let run = 0; run < MAX_RUNS && grownBytes * MAX_RATIO < estimatedBytes; run++)
    grownBytes = Math.max(grownBytes, await measure(plan, bytes, name))
  return { name, megapixels: (probe.size.width * probe.size.height) / 1e6, grownBytes, estimatedBytes }
}

async function measure(plan: Plan, bytes: Buffer, name: string): Promise<number> {
  const worker = new WorkerProcess({
    kind: 'worker',
    command: createSandbox('auto', PLAN_BYTES).command('worker'),
    maxPayloadBytes: PLAN_BYTES,
  })
  try {
    await worker.ready
    const idleBytes = worker.residentBytes()
    const { answer } = await worker.run({ kind: 'render', id: 1, plan, payloads: [bytes.length] }, [bytes])
    return peakOf(answer, name) - idleBytes
  } finally {
    worker.kill('shutdown')
    await worker.exited
  }
}

let drawn: { key: string; bytes: Promise<Buffer> } | undefined

/** Cases with one source follow each other. */
function drawOnce(source: SourceOptions): Promise<Buffer> {
  const key = JSON.stringify(source)
  if (drawn?.key !== key) drawn = { key, bytes: drawSource(source) }
  return drawn.bytes
}

function peakOf(answer: Answer, name: string): number {
  if (answer.kind !== 'render')
    throw new Error(`${name}: ${answer.kind === 'error' ? answer.detail : answer.kind}`)
  return answer.result.peakBytes
}

/** A photo-like picture: the sample scene enlarged, with the grain of a sensor. */
async function drawSource(options: SourceOptions): Promise<Buffer> {
  const { format, megapixels, frames = 1 } = options
  const width = Math.round(Math.sqrt((megapixels * 1e6 * 4) / 3))
  const height = Math.round((width * 3) / 4)
  if (format === 'svg')
    return Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs><radialGradient id="g"><stop stop-color="#fc6"/><stop offset="1" stop-color="#036"/></radialGradient></defs><rect width="100%" height="100%" fill="url(#g)"/><circle cx="40%" cy="40%" r="30%" fill="#fff" opacity=".5"/></svg>`,
    )
  const grain = await sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'black',
      noise: { type: 'gaussian', mean: 128, sigma: 8 },
    },
  })
    .raw()
    .toBuffer()
  const scene = await sharp(LAKE)
    .resize(width, height, { fit: 'fill' })
    .composite([{ input: grain, raw: { width, height, channels: 3 }, blend: 'soft-light' }])
    .raw()
    .toBuffer()
  const raw = { width, height, channels: 3 as const }
  let image = sharp(frames === 1 ? scene : Buffer.concat(Array.from({ length: frames }, () => scene)), {
    raw: frames === 1 ? raw : { ...raw, height: height * frames, pageHeight: height },
    limitInputPixels: false,
  })
  if (options.alpha === true) image = image.ensureAlpha(0.6)
  if (options.deep === true) image = image.toColourspace('rgb16')
  if (options.orientation !== undefined) image = image.withMetadata({ orientation: options.orientation })
  switch (format) {
    case 'jpeg':
      return image
        .jpeg({
          quality: 85,
          progressive: options.progressive === true,
          chromaSubsampling: options.chroma ?? '4:2:0',
        })
        .toBuffer()
    case 'png':
      return image.png({ compressionLevel: 3, progressive: options.progressive === true }).toBuffer()
    case 'webp':
      return image.webp({ effort: 0, lossless: options.lossless === true }).toBuffer()
    case 'avif':
      return image.avif({ effort: 0 }).toBuffer()
    case 'gif':
      return image.gif({ effort: 1 }).toBuffer()
    default:
      return image.tiff().toBuffer()
  }
}

const SAME = '_'
const SIZES = [0.3, 2.1, 12]

/** Each input format × size class re-encoded and scaled down, each output, and what needs whole rasters. */
export const CALIBRATION_CASES: readonly CalibrationCase[] = [
  ...(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const).flatMap((format) =>
    SIZES.flatMap((megapixels) => [
      { name: `${format} → ${format}`, source: { format, megapixels }, recipe: `format=${format}` },
      { name: `${format} → jpeg 400 px`, source: { format, megapixels }, recipe: 'w=400,format=jpeg' },
    ]),
  ),
  ...SIZES.flatMap((megapixels) => {
    const source = { format: 'jpeg' as const, megapixels }
    return [
      ...(['png', 'webp', 'avif', 'gif', 'tiff'] as const).map((format) => ({
        name: `jpeg → ${format}`,
        source,
        recipe: `format=${format}`,
      })),
      { name: 'jpeg → webp 800 px', source, recipe: 'w=800,format=webp' },
      { name: 'jpeg → avif 800 px', source, recipe: 'w=800,format=avif' },
      { name: 'jpeg → progressive jpeg', source, recipe: 'progressive=true' },
      { name: 'jpeg → palette png', source, recipe: 'format=png,palette=true' },
      { name: 'jpeg → lossless webp', source, recipe: 'format=webp,lossless=true' },
      { name: 'turned jpeg', source: { ...source, orientation: 6 }, recipe: SAME },
      { name: 'progressive 4:2:0', source: { ...source, progressive: true }, recipe: SAME },
      {
        name: 'progressive 4:4:4',
        source: { ...source, progressive: true, chroma: '4:4:4' as const },
        recipe: SAME,
      },
      { name: 'jpeg blurred', source, recipe: 'blur=5' },
      { name: 'jpeg rotated 30°', source, recipe: 'rotate=30,format=jpeg,bg=ffffff' },
      { name: 'jpeg trimmed', source, recipe: 'trim=10' },
      { name: 'jpeg smart crop', source, recipe: 'w=600,h=300,fit=cover,pos=smart' },
      { name: 'jpeg entropy crop', source, recipe: 'w=1600,h=400,fit=cover,pos=entropy' },
    ]
  }),
  ...SIZES.flatMap((megapixels) => [
    {
      name: 'interlaced png',
      source: { format: 'png' as const, megapixels, progressive: true },
      recipe: 'w=400,format=jpeg',
    },
    { name: '16-bit png', source: { format: 'png' as const, megapixels, deep: true }, recipe: SAME },
    {
      name: 'png with alpha → webp',
      source: { format: 'png' as const, megapixels, alpha: true },
      recipe: 'format=webp',
    },
    {
      name: 'webp with alpha',
      source: { format: 'webp' as const, megapixels, alpha: true },
      recipe: 'w=400,format=webp',
    },
    {
      name: 'lossless webp',
      source: { format: 'webp' as const, megapixels, lossless: true },
      recipe: 'w=400,format=jpeg',
    },
  ]),
  ...[0.3, 2.1, 6].map((megapixels) => ({
    name: 'svg → png',
    source: { format: 'svg' as const, megapixels },
    recipe: 'format=png',
  })),
  ...[0.2, 1].flatMap((megapixels) => {
    const frames = megapixels === 1 ? 10 : 20
    const gif = { format: 'gif' as const, megapixels, frames }
    const webp = { format: 'webp' as const, megapixels, frames }
    return [
      { name: `${frames} frames, gif → gif`, source: gif, recipe: 'format=gif' },
      { name: `${frames} frames, gif → gif 200 px`, source: gif, recipe: 'w=200,format=gif' },
      { name: `${frames} frames, gif → webp`, source: gif, recipe: 'format=webp' },
      { name: `${frames} frames, webp → webp 200 px`, source: webp, recipe: 'w=200,format=webp' },
      { name: `${frames} frames, webp → gif`, source: webp, recipe: 'format=gif' },
    ]
  }),
]
