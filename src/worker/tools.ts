import type { Sharp } from 'sharp'
import type { Pixels, Tools } from '../operations/index.ts'
import { sharp } from './pixel-library.ts'

export interface ToolsOptions {
  /** Encoded bytes of the further inputs. */
  readonly inputs: readonly Buffer[]
  readonly bitDepth: 8 | 16
}

/** What executors borrow; further inputs are decoded once, when first asked for. */
export function createTools({ inputs, bitDepth }: ToolsOptions): Tools {
  const decoded = new Map<number, Promise<Pixels>>()
  return {
    raster: rasterOf,
    canvas: ({ width, height }, background) => sharp({ create: { width, height, channels: 4, background } }),
    pixels: (image) => pixelsOf(image, bitDepth),
    composite(image, layer, options) {
      const raw = { width: layer.width, height: layer.height, channels: layer.channels }
      return image.composite([{ ...(options as object), input: bufferOf(layer.data), raw }])
    },
    input(index) {
      let pixels = decoded.get(index)
      if (pixels === undefined) {
        pixels = pixelsOf(sharp(inputs[index], { failOn: 'warning' }).autoOrient().ensureAlpha(), 8)
        decoded.set(index, pixels)
      }
      return pixels
    },
  }
}

/** A pipeline over raw pixels. */
export function rasterOf({ data, width, height, channels, bitDepth }: Pixels): Sharp {
  const samples =
    bitDepth === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : bufferOf(data)
  return sharp(samples, { raw: { width, height, channels }, limitInputPixels: false })
}

/** Runs a pipeline to raw pixels: sRGB with or without alpha, or 16 bits per channel of the same. */
export async function pixelsOf(image: Sharp, bitDepth: 8 | 16): Promise<Pixels> {
  const output =
    bitDepth === 16
      ? image.toColourspace('rgb16').raw({ depth: 'ushort' })
      : image.toColourspace('srgb').raw()
  const { data, info } = await output.toBuffer({ resolveWithObject: true })
  return {
    data,
    width: info.width,
    height: info.height,
    channels: info.channels as Pixels['channels'],
    bitDepth,
  }
}

export function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
