import type { Metadata } from 'sharp'
import { SluiceError } from '../errors/index.ts'
import { type Orientation, orientSize } from '../geometry/index.ts'
import type { InputFormat, Probe } from '../recipe/index.ts'
import { readExif } from './exif.ts'
import { iccName } from './icc.ts'
import { readJpegHeader } from './jpeg-header.ts'
import { sharp } from './pixel-library.ts'
import { checkPngChunks } from './png-header.ts'
import { isLosslessWebp } from './webp-header.ts'

/** Names that the library gives to the loaders of our formats. */
const LOADERS: Readonly<Record<InputFormat, readonly string[]>> = {
  jpeg: ['jpeg'],
  png: ['png'],
  gif: ['gif'],
  webp: ['webp'],
  avif: ['heif', 'avif'],
  tiff: ['tiff'],
  svg: ['svg'],
}

/** Profiles of printing conditions have up to 3 MB. */
const MAX_ICC_BYTES = 4 * 1024 * 1024
const MAX_EXIF_BYTES = 1024 * 1024

const DEPTHS: Readonly<Record<string, number>> = {
  uchar: 8,
  char: 8,
  ushort: 16,
  short: 16,
  uint: 32,
  int: 32,
  float: 32,
  double: 64,
}

/**
 * Reads the header of a source; no pixel is decoded.
 *
 * @param bytes The whole file, or a beginning for which `holdsHeader` is true.
 * @param format What the first bytes were recognised as: another loader is refused.
 * @param options.gps Whether the place is wanted, too.
 * @param options.total Length of the whole file, bytes.
 * @throws {SluiceError} `image-broken`.
 */
export async function probeImage(
  bytes: Buffer,
  format: InputFormat,
  { gps = false, total: length = bytes.length } = {},
): Promise<Probe> {
  if (format === 'png') checkPngChunks(bytes)
  const metadata = await readMetadata(bytes)
  if (!LOADERS[format].includes(metadata.format ?? '')) {
    throw new SluiceError('image-broken', `Cannot decode this image: it begins like ${format} but is not`, {
      internal: `loader ${metadata.format}`,
    })
  }
  checkBlocks(metadata)
  const { width = 0, height: total = 0 } = metadata
  const frames = Math.max(1, metadata.pages ?? 1)
  const height = metadata.pageHeight ?? total
  if (width < 1 || height < 1)
    throw new SluiceError('image-broken', 'Cannot decode an image without width or height')
  const jpeg = format === 'jpeg' ? readJpegHeader(bytes) : undefined
  // libheif applies rotation and mirroring of the container itself; the EXIF tag must not be applied again.
  const orientation =
    format === 'avif' || format === 'svg' || format === 'gif' ? 1 : toOrientation(metadata.orientation)
  const stored = { width, height }
  const isAnimation = format === 'gif' || format === 'webp'
  return {
    format,
    bytes: length,
    stored,
    size: orientSize(stored, orientation),
    orientation,
    // Pages of a TIFF are no frames: the first one is the picture.
    frames: isAnimation ? frames : 1,
    delays: isAnimation && frames > 1 ? (metadata.delay ?? []) : [],
    loop: metadata.loop ?? 0,
    scans: jpeg?.scans ?? 1,
    progressive: jpeg?.progressive ?? metadata.isProgressive ?? false,
    lossless: format === 'webp' && isLosslessWebp(bytes),
    alpha: metadata.hasAlpha ?? false,
    channels: metadata.channels ?? 3,
    space: metadata.space ?? 'srgb',
    bitDepth: depthOf(metadata),
    subsampling: metadata.chromaSubsampling,
    icc: metadata.icc === undefined ? undefined : iccName(metadata.icc),
    exif: metadata.exif === undefined ? {} : publicExif(metadata.exif, gps),
  }
}

async function readMetadata(bytes: Buffer): Promise<Metadata> {
  try {
    return await sharp(bytes, { limitInputPixels: false, failOn: 'none' }).metadata()
  } catch (error) {
    throw new SluiceError('image-broken', 'Cannot decode this image: its header is broken', {
      cause: error,
      internal: String(error),
    })
  }
}

/** Blocks that no camera or printer writes so large, but that each step would carry along. */
function checkBlocks({ icc, exif }: Metadata): void {
  for (const [name, block, most] of [
    ['a colour profile', icc, MAX_ICC_BYTES],
    ['an EXIF block', exif, MAX_EXIF_BYTES],
  ] as const) {
    if (block !== undefined && block.length > most)
      throw new SluiceError(
        'image-broken',
        `Cannot decode an image with ${name} of ${block.length} bytes: the limit is ${most}`,
      )
  }
}

function publicExif(block: Buffer, gps: boolean): Probe['exif'] {
  const { date, make, model, gps: place } = readExif(block, { gps })
  return {
    ...(date === undefined ? {} : { date }),
    ...(make === undefined ? {} : { make }),
    ...(model === undefined ? {} : { model }),
    ...(place === undefined ? {} : { gps: place }),
  }
}

function depthOf(metadata: Metadata): number {
  const sample = DEPTHS[metadata.depth ?? 'uchar'] ?? 8
  const bits = metadata.bitsPerSample
  // Palettes and bilevel images are unpacked to 8 bits; 10 and 12 bit AVIF comes as 16.
  return sample === 8 ? 8 : typeof bits === 'number' && bits > 8 ? bits : sample
}

function toOrientation(tag: number | undefined): Orientation {
  return tag !== undefined && tag >= 1 && tag <= 8 ? (tag as Orientation) : 1
}
