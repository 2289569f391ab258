import { area } from '../geometry/index.ts'
import type { Pass, Size } from '../operations/index.ts'
import type { BaseRaster, Estimate, ResolvedOutput } from './plan.ts'
import type { Probe } from './probe.ts'

/**
 * What decoding and encoding take, per pixel. Memory is growth of a worker's peak over its idle state; the
 * factors lie above what `npm run calibrate` measures (table in `bench/results/`), never below.
 */
const DECODE = {
  jpeg: { bytes: 0.15, ns: 10 },
  // All coefficients stay in memory: 16 bits per sample, chroma at a quarter for 4:2:0.
  progressive420: { bytes: 3.7, ns: 25 },
  progressive444: { bytes: 6.8, ns: 35 },
  png: { bytes: 1.3, ns: 25 },
  interlaced: { bytes: 5, ns: 40 },
  gif: { bytes: 6.5, ns: 15 },
  webp: { bytes: 6.5, ns: 25 },
  avif: { bytes: 23, ns: 60 },
  tiff: { bytes: 1.6, ns: 15 },
  svg: { bytes: 8, ns: 100 },
} as const

const ENCODE = {
  jpeg: { bytes: 0.45, ns: 10 },
  // Two-pass Huffman and progressive scans keep the coefficients of the whole image.
  jpegBuffered: { bytes: 7, ns: 20 },
  png: { bytes: 3, ns: 60 },
  pngPalette: { bytes: 8, ns: 150 },
  gif: { bytes: 14, ns: 200 },
  webp: { bytes: 7, ns: 60 },
  // Alpha is a second picture, coded without loss.
  webpAlpha: { bytes: 14, ns: 60 },
  webpLossless: { bytes: 54, ns: 400 },
  avif: { bytes: 24, ns: 250 },
  tiff: { bytes: 4, ns: 40 },
} as const

/** Buffers of libraries, lines in flight, JavaScript objects: what even the smallest job adds. */
const FLOOR_BYTES = 3_200_000
/** The bytes of the source, and what the decoder has read of them. */
const PER_INPUT_BYTE = 1.15
/** The histogram of a quantiser grows with the picture up to a point. */
const QUANTISER = { bytesPerPixel: 18, most: 40_000_000 }
/** WebP decoded at a smaller scale: its alpha is still unpacked whole, bytes per stored pixel. */
const WEBP_ALPHA_BYTES = 1.3
/** A turned raster, its borders and the lines on their way into it. */
const TURN_SLACK = 1.1
const MS_PER_JOB = 3

/** Memory and CPU of a plan, known before any decode. */
export function estimate(
  probe: Probe,
  base: BaseRaster,
  passes: readonly Pass[],
  output: ResolvedOutput,
  size: Size,
  frames: number,
): Estimate {
  const decode = decodeFactors(probe)
  const alpha = passes.at(-1)?.steps.at(-1)?.planned.alpha ?? base.alpha
  const encode = encodeFactors(output, alpha)
  const decodedPixels = area(base.rasterised ?? base.stored) * base.frames
  const resultPixels = area(size) * frames
  const channels = (base.alpha ? 4 : 3) * (base.bitDepth / 8)
  // Between passes the picture stands in memory; input and output of a pass at the same time.
  let rasters = base.fused
    ? turnedBytes(base, channels, passes)
    : 2 * area(base.size) * base.frames * channels
  let cpuNs = decodedPixels * decode.ns * (1 + 0.05 * (probe.scans - 1)) + resultPixels * encode.ns
  for (const [index, pass] of passes.entries()) {
    const first = pass.steps[0]
    const last = pass.steps.at(-1)
    if (first === undefined || last === undefined) continue
    const inBytes = index === 0 && base.fused ? 0 : area(first.input.size) * channels * frames
    const outBytes =
      index === passes.length - 1 && frames === 1
        ? 0
        : area(last.planned.size) * 4 * (base.bitDepth / 8) * frames
    const own = pass.steps.reduce((sum, { planned }) => sum + (planned.memoryBytes ?? 0), 0)
    rasters = Math.max(rasters, 2 * inBytes + 2 * outBytes + own)
    cpuNs += pass.steps.reduce(
      (sum, { planned, input }) =>
        sum + (planned.nsPerPixel ?? 10) * Math.max(area(planned.size), area(input.size)) * frames,
      0,
    )
  }
  const memoryBytes =
    FLOOR_BYTES +
    PER_INPUT_BYTE * probe.bytes +
    decodeBytes(probe, base, passes) +
    rasters +
    // Animations are coded frame by frame; their strips are among the rasters.
    area(size) * encode.bytes * (base.bitDepth / 8) +
    quantiserBytes(output, area(size))
  return { memoryBytes: Math.ceil(memoryBytes), cpuMs: Math.ceil(MS_PER_JOB + cpuNs / 1e6) }
}

/** What a decoder keeps: lossy WebP is decoded at the size that is asked for, JPEG near it. */
function decodeBytes(probe: Probe, base: BaseRaster, passes: readonly Pass[]): number {
  const pixels = area(base.rasterised ?? base.stored)
  const { bytes } = decodeFactors(probe)
  const first = passes[0]?.steps[0]
  if (probe.format === 'webp' && base.fused && first?.step.op === 'resize' && !probe.lossless)
    return Math.min(pixels, area(first.planned.size)) * bytes + (probe.alpha ? pixels * WEBP_ALPHA_BYTES : 0)
  if (probe.format === 'jpeg' && !probe.progressive) return (pixels * bytes) / base.shrink
  return pixels * bytes * (base.bitDepth / 8)
}

function quantiserBytes({ format, palette }: ResolvedOutput, pixels: number): number {
  if (format !== 'gif' && !(format === 'png' && palette === true)) return 0
  return Math.min(pixels * QUANTISER.bytesPerPixel, QUANTISER.most)
}

/** A full-size turn needs the whole raster once. */
function turnedBytes(base: BaseRaster, channels: number, passes: readonly Pass[]): number {
  const first = passes[0]?.steps ?? []
  const leading = first[base.stepsBeforeOrientation - 1]
  const turned = leading === undefined ? area(base.size) : area(leading.planned.size)
  const turns = base.orientation > 2 || first.some(({ step }) => step.op === 'rotate' || step.op === 'flip')
  return turns ? turned * channels * TURN_SLACK : 0
}

function decodeFactors(probe: Probe): { bytes: number; ns: number } {
  if (probe.format === 'jpeg') {
    if (!probe.progressive) return DECODE.jpeg
    return probe.subsampling === '4:2:0' ? DECODE.progressive420 : DECODE.progressive444
  }
  if (probe.format === 'png' && probe.progressive) return DECODE.interlaced
  return DECODE[probe.format]
}

function encodeFactors(output: ResolvedOutput, alpha: boolean): { bytes: number; ns: number } {
  const effort = 1 + output.effort / 4
  switch (output.format) {
    case 'jpeg':
      return output.optimiseCoding || output.progressive ? ENCODE.jpegBuffered : ENCODE.jpeg
    case 'png':
      return output.palette ? ENCODE.pngPalette : ENCODE.png
    case 'webp': {
      const kind =
        output.lossless || output.nearLossless ? ENCODE.webpLossless : alpha ? ENCODE.webpAlpha : ENCODE.webp
      return { bytes: kind.bytes, ns: kind.ns * effort }
    }
    case 'avif':
      // Measured: effort 0 ~ 25 ns/px, 2 ~ 200, 4 ~ 1,200.
      return { bytes: ENCODE.avif.bytes, ns: ENCODE.avif.ns * 2 ** (output.effort - 2) }
    default:
      return ENCODE[output.format]
  }
}
