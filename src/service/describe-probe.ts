import type { Probe } from '../recipe/index.ts'

/** Facts of a source as `/info` shows them. */
export function describeProbe(probe: Probe): Record<string, unknown> {
  const { size, stored, space, icc, exif, ...rest } = probe
  return {
    format: rest.format,
    bytes: rest.bytes,
    width: size.width,
    height: size.height,
    stored,
    orientation: rest.orientation,
    frames: rest.frames,
    ...(rest.frames > 1 ? { delaysMs: rest.delays, loop: rest.loop } : {}),
    alpha: rest.alpha,
    channels: rest.channels,
    colourSpace: space,
    bitDepth: rest.bitDepth,
    progressive: rest.progressive,
    ...(rest.format === 'jpeg' ? { scans: rest.scans } : {}),
    subsampling: rest.subsampling ?? null,
    icc: icc ?? null,
    exif,
  }
}
