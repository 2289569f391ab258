import type { DeliveryOptions } from './options.ts'

/** What is known of one answer. */
export interface CacheFacts {
  /** Whether the URL holds a version (`v`): its bytes never change. */
  readonly versioned: boolean
  /** What the origin said of its image; absent for sources without an origin. */
  readonly origin?: { readonly maxAgeSeconds: number | undefined; readonly storable?: boolean } | undefined
  /** Expiry of the signature or policy, Unix seconds. */
  readonly expiresAt?: number | undefined
  /** Unix seconds. */
  readonly now: number
}

export type CacheOptions = Pick<
  DeliveryOptions,
  | 'sharedMaxAgeSeconds'
  | 'staleWhileRevalidateSeconds'
  | 'staleIfErrorSeconds'
  | 'versionedMaxAgeSeconds'
  | 'originCacheControl'
> & {
  /** Seconds, of answers whose URL holds no version. */
  readonly maxAgeSeconds: number
}

/**
 * `Cache-Control` of a made picture.
 *
 * The origin's word holds where it is passed on, else a version's, else the general setting. No cache may serve the
 * picture when the signature has expired, fresh or stale.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111 https://www.rfc-editor.org/rfc/rfc8246 https://www.rfc-editor.org/rfc/rfc5861
 *
 * @example
 * cacheControl({ versioned: true, now }, options)
 * // 'public, max-age=31536000, immutable, stale-if-error=86400'
 */
export function cacheControl(
  { versioned, origin, expiresAt, now }: CacheFacts,
  options: CacheOptions,
): string {
  const passed = options.originCacheControl ? origin : undefined
  const left = expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.floor(expiresAt - now)
  if (left <= 0 || passed?.storable === false) return 'no-store'
  const own = versioned ? options.versionedMaxAgeSeconds : options.maxAgeSeconds
  const maxAge = Math.min(passed?.maxAgeSeconds ?? own, left)
  const isOwn = passed?.maxAgeSeconds === undefined && !versioned
  const shared = isOwn ? Math.min(options.sharedMaxAgeSeconds ?? maxAge, left) : maxAge
  // A stale answer is one more way to serve beyond the expiry.
  const stale = (seconds: number) => Math.min(seconds, left - Math.max(maxAge, shared))
  const immutable = versioned && passed?.maxAgeSeconds === undefined
  const directives: readonly (string | undefined)[] = [
    'public',
    `max-age=${maxAge}`,
    shared === maxAge ? undefined : `s-maxage=${shared}`,
    immutable ? 'immutable' : undefined,
    // What never changes need not be asked for again.
    immutable ? undefined : positive('stale-while-revalidate', stale(options.staleWhileRevalidateSeconds)),
    positive('stale-if-error', stale(options.staleIfErrorSeconds)),
  ]
  return directives.filter((directive) => directive !== undefined).join(', ')
}

function positive(name: string, seconds: number): string | undefined {
  return seconds > 0 ? `${name}=${seconds}` : undefined
}
