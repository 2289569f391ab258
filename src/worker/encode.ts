import type { Sharp } from 'sharp'
import type { ResolvedOutput } from '../recipe/index.ts'

/** Puts the encoder of `output` at the end of a pipeline. Efforts 0–9 are mapped to each encoder's own range. */
export function encode(image: Sharp, output: ResolvedOutput): Sharp {
  const { quality, progressive, effort } = output
  const timing =
    output.delays.length > 0 ? { delay: [...output.delays], loop: Math.min(output.loop, 65_535) } : {}
  switch (output.format) {
    case 'jpeg':
      return flattened(image, output).jpeg({
        quality,
        progressive,
        chromaSubsampling: output.subsampling,
        optimiseCoding: output.optimiseCoding,
        mozjpeg: false,
      })
    case 'png': {
      const deep = output.depth === 16 ? image.toColourspace('rgb16') : image
      return deep.png(
        output.palette
          ? { palette: true, quality, effort: Math.max(1, effort), progressive }
          : { compressionLevel: Math.min(9, effort), progressive },
      )
    }
    case 'webp':
      return image.webp({
        quality,
        effort: Math.min(6, effort),
        lossless: output.lossless,
        nearLossless: output.nearLossless,
        ...timing,
      })
    case 'avif':
      return image.avif({
        quality,
        effort,
        lossless: output.lossless,
        chromaSubsampling: output.lossless ? '4:4:4' : output.subsampling,
      })
    case 'gif':
      return image.gif({ effort: Math.max(1, effort), ...timing })
    case 'tiff': {
      const deep = output.depth === 16 ? image.toColourspace('rgb16') : image
      return deep.tiff({ compression: 'deflate', predictor: 'horizontal', quality })
    }
  }
}

function flattened(image: Sharp, { flatten, background }: ResolvedOutput): Sharp {
  return flatten ? image.flatten({ background: `#${background.slice(0, 6)}` }) : image
}
