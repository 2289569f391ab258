import type { Pixels } from './define.ts'

/** One number per channel of `pixels`, whatever the bit depth; a view, not a copy. */
export function samplesOf({ data, bitDepth }: Pixels): Uint8Array | Uint16Array {
  return bitDepth === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data
}

/** Puts every colour sample (not alpha) through a table of 256 or 65,536 entries, in place. */
export function mapColour(pixels: Pixels, table: Uint8Array | Uint16Array): Pixels {
  const samples = samplesOf(pixels)
  const { channels } = pixels
  const colours = channels === 2 || channels === 4 ? channels - 1 : channels
  for (let at = 0; at < samples.length; at += channels) {
    for (let c = 0; c < colours; c++) samples[at + c] = table[samples[at + c] as number] as number
  }
  return pixels
}

/** A table for `mapColour` from a curve on 0–1. */
export function curveTable(bitDepth: 8 | 16, curve: (value: number) => number): Uint8Array | Uint16Array {
  const top = bitDepth === 16 ? 65_535 : 255
  const table = bitDepth === 16 ? new Uint16Array(65_536) : new Uint8Array(256)
  for (let i = 0; i <= top; i++) table[i] = Math.round(Math.min(1, Math.max(0, curve(i / top))) * top)
  return table
}
