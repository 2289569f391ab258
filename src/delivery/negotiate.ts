import type { OutputFormat, Probe } from '../recipe/index.ts'
import { readAccept } from './accept.ts'
import type { DeliveryOptions } from './options.ts'

/** What a client can show, in as few kinds as caches can bear. */
export const NEGOTIATION_CLASSES = ['avif', 'webp', 'legacy', 'data-saver'] as const
export type NegotiationClass = (typeof NEGOTIATION_CLASSES)[number]

/** Headers that decide, as received. */
export interface NegotiationHeaders {
  readonly accept: string | undefined
  /** `Save-Data`. */
  readonly saveData: string | undefined
}

/**
 * The class of a client by its `Accept` and `Save-Data`, before anything is known of the image.
 *
 * AVIF and WebP count only when they are named: browsers that show neither send wildcards all the same. Among
 * equals AVIF comes first; a client that would rather have WebP, or JPEG or PNG, by their q-values gets it. `Save-Data`
 * counts where WebP is taken. Never throws: what cannot be read is `legacy`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 https://wicg.github.io/savedata/#save-data-request-header-field
 *
 * @example
 * negotiate({ accept: 'image/avif,image/webp,image/png;q=0.8', saveData: undefined }, options) // 'avif'
 */
export function negotiate(
  { accept, saveData }: NegotiationHeaders,
  { autoFormats }: Pick<DeliveryOptions, 'autoFormats'>,
): NegotiationClass {
  const weights = readAccept(accept)
  const weightOf = (format: 'avif' | 'webp') =>
    autoFormats.includes(format) ? (weights.get(`image/${format}`) ?? 0) : 0
  const [avif, webp] = [weightOf('avif'), weightOf('webp')]
  const legacy = Math.max(weights.get('image/jpeg') ?? 0, weights.get('image/png') ?? 0)
  if (webp > 0 && /^\s*on\s*(?:;|$)/i.test((saveData ?? '').slice(0, 64))) return 'data-saver'
  if (avif > 0 && avif >= webp && avif >= legacy) return 'avif'
  return webp > 0 && webp >= legacy ? 'webp' : 'legacy'
}

/**
 * The format that a class gets for an image. Animations stay animations: as WebP, or GIF where that is not taken (every
 * browser with AVIF shows animated WebP, and AVIF is written as a still here). Alpha is kept.
 *
 * @param probe Facts of the source; `frames` is what will be kept, `alpha` may be that of the result.
 */
export function formatFor(
  negotiated: NegotiationClass,
  { alpha, frames }: Pick<Probe, 'alpha' | 'frames'>,
): OutputFormat {
  if (negotiated === 'legacy') return frames > 1 ? 'gif' : alpha ? 'png' : 'jpeg'
  return negotiated === 'avif' && frames === 1 ? 'avif' : 'webp'
}

/** WebP at 55 has 0.7 of the bytes of the default 78 (sample photos at 800 px). */
const DATA_SAVER_QUALITY = 55

/** The quality, in percent, that a class asks for where the recipe says none; `undefined`: the format's default. */
export function qualityFor(negotiated: NegotiationClass): number | undefined {
  return negotiated === 'data-saver' ? DATA_SAVER_QUALITY : undefined
}
