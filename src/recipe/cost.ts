import { area } from '../geometry/index.ts'
import type { Pass, Size } from '../operations/index.ts'
import type { BaseRaster, Estimate, ResolvedOutput } from './plan.ts'
import type { Probe } from './probe.ts'

/**
 * What decoding and encoding take, per pixel. Memory is growth of a worker's peak over its idle state; the
 * factors lie above what `bench/calibrate.ts` measures (table in `bench/results/`), never below.
 */
const DECODE = {
  jpeg: { bytes: 0.15, ns: 10 },
  // All coefficients stay in memory: 16 bits per sample, chroma at a quarter for 4:2:0.
  progressive420: { bytes: 3.4, ns: 25 },
  progressive444: { bytes: 6.8, ns: 35 },
  png: { bytes: 0.3, ns: 25 },
  interlaced: { bytes: 5, ns: 40 },
  gif: { bytes: 9, ns: 15 },
  webp: { bytes: 6.5, ns: 25 },
  avif: { bytes: 20, ns: 60 },
  tiff: { bytes: 5, ns: 15 },
  svg: { bytes: 10, ns: 100 },
} as const

const ENCODE = {
  jpeg: { bytes: 0.15, ns: 10 },
  // Two-pass Huffman and progressive scans keep the coefficients of the whole image.
  jpegBuffered: { bytes: 7, ns: 20 },
  png: { bytes: 0.5, ns: 60 },
  pngPalette: { bytes: 12, ns: 150 },
  gif: { bytes: 14, ns: 200 },
  webp: { bytes: 13, ns: 60 },
  webpLossless: { bytes: 40, ns: 400 },
  avif: { bytes: 40, ns: 250 },
  tiff: { bytes: 8, ns: 40 },
} as const

/** Buffers of libraries, lines in flight, JavaScript objects: what even the smallest job adds. */
const FLOOR_BYTES = 24 * 1024 * 1024
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
  const encode = encodeFactors(output)
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
    FLOOR_BYTES + 2 * probe.bytes + decodedPixels * decode.bytes + rasters + resultPixels * encode.bytes
  return { memoryBytes: Math.ceil(memoryBytes), cpuMs: Math.ceil(MS_PER_JOB + cpuNs / 1e6) }
}

/** A full-size turn needs the whole raster once. */
function turnedBytes(base: BaseRaster, channels: number, passes: readonly Pass[]): number {
  const first = passes[0]?.steps ?? []
  const leading = first[base.stepsBeforeOrientation - 1]
  const turned = leading === undefined ? area(base.size) : area(leading.planned.size)
  const turns = base.orientation > 2 || first.some(({ step }) => step.op === 'rotate' || step.op === 'flip')
  return turns ? turned * channels : 0
}

function decodeFactors(probe: Probe): { bytes: number; ns: number } {
  if (probe.format === 'jpeg') {
    if (!probe.progressive) return DECODE.jpeg
    return probe.subsampling === '4:2:0' ? DECODE.progressive420 : DECODE.progressive444
  }
  if (probe.format === 'png' && probe.progressive) return DECODE.interlaced
  return DECODE[probe.format]
}

function encodeFactors(output: ResolvedOutput): { bytes: number; ns: number } {
  const effort = 1 + output.effort / 4
  switch (output.format) {
    case 'jpeg':
      return output.optimiseCoding || output.progressive ? ENCODE.jpegBuffered : ENCODE.jpeg
    case 'png':
      return output.palette ? ENCODE.pngPalette : ENCODE.png
    case 'webp': {
      const kind = output.lossless || output.nearLossless ? ENCODE.webpLossless : ENCODE.webp
      return { bytes: kind.bytes, ns: kind.ns * effort }
    }
    case 'avif':
      // Measured: effort 0 ~ 25 ns/px, 2 ~ 200, 4 ~ 1,200.
      return { bytes: ENCODE.avif.bytes, ns: ENCODE.avif.ns * 2 ** (output.effort - 2) }
    default:
      return ENCODE[output.format]
  }
}
