import { LimitError } from '../errors/index.ts'
import { type Limits, pixelLimit } from './options.ts'
import type { Probe } from './probe.ts'

/**
 * Holds the header of a source against the limits, before any decode.
 *
 * @param frames How many frames will be decoded; a still result takes one.
 * @throws {LimitError} `source-too-large`, naming the setting.
 */
export function checkProbe(probe: Probe, limits: Limits, frames: number): void {
  const { width, height } = probe.stored
  const pixels = width * height
  // An SVG is drawn at the size that is asked for: its own size is a wish, held to the limit when planned.
  if (probe.format !== 'svg') {
    const { max, setting } = pixelLimit(limits, probe.format, probe.progressive)
    if (pixels > max) throw LimitError.pixels(pixels, max, setting)
    const edge = Math.max(width, height)
    if (edge > limits.maxEdge) throw LimitError.source('edge', edge, limits.maxEdge, 'SLUICE_MAX_EDGE')
  }
  if (probe.scans > limits.maxScans)
    throw LimitError.source('scans', probe.scans, limits.maxScans, 'SLUICE_MAX_SCANS')
  if (frames > limits.maxFrames)
    throw LimitError.source('frames', frames, limits.maxFrames, 'SLUICE_MAX_FRAMES')
  if (frames * pixels > limits.maxFramePixels) {
    throw LimitError.source('frame-pixels', frames * pixels, limits.maxFramePixels, 'SLUICE_MAX_FRAME_PIXELS')
  }
  if (probe.channels > 5) throw LimitError.source('channels', probe.channels, 5, 'fixed')
}
