import type { Sharp } from 'sharp'
import type { MetadataPolicy } from '../recipe/index.ts'
import { readExif } from './exif.ts'
import { sharp } from './pixel-library.ts'

export interface MetadataOptions {
  readonly policy: MetadataPolicy
  readonly source: Buffer
  /** Whether the pipeline still reads the encoded source, so that the library can carry blocks over itself. */
  readonly direct: boolean
}

/**
 * Carries over what the policy keeps. Pixels are sRGB unless the source's own profile comes along; the
 * orientation is always baked in.
 */
export async function keepMetadata(
  image: Sharp,
  { policy, source, direct }: MetadataOptions,
): Promise<Sharp> {
  if (policy === 'none') return image
  if (policy === 'icc') return direct ? image.keepIccProfile() : image.withIccProfile('srgb')
  const { exif, xmp } = await sharp(source, { failOn: 'none' }).metadata()
  const facts = exif === undefined ? {} : readExif(exif)
  const kept: Record<string, string> = {}
  if (facts.copyright !== undefined) kept.Copyright = facts.copyright
  if (facts.artist !== undefined) kept.Artist = facts.artist
  if (policy === 'copyright') return Object.keys(kept).length === 0 ? image : image.withExif({ IFD0: kept })
  if (direct) return image.keepExif().keepXmp().keepIccProfile().withMetadata({ orientation: 1 })
  if (facts.make !== undefined) kept.Make = facts.make
  if (facts.model !== undefined) kept.Model = facts.model
  const marked = Object.keys(kept).length === 0 ? image : image.withExif({ IFD0: kept })
  return (xmp === undefined ? marked : marked.withXmp(xmp.toString('utf8'))).withIccProfile('srgb')
}
