import { type HttpTarget, parseHttpUrl } from './http-url.ts'
import { OriginError } from './origin-error.ts'

export interface FollowOptions {
  /** Whether `https` may lead to `http`. */
  readonly allowDowngrade: boolean
}

/**
 * Where a `Location` leads: judged as text like a URL from a stranger, because it is one.
 *
 * @throws {OriginError} `source-forbidden`.
 */
export function followRedirect(
  from: HttpTarget,
  location: string,
  { allowDowngrade }: FollowOptions,
): HttpTarget {
  const next = parseHttpUrl(absolute(from, location))
  if (from.secure && !next.secure && !allowDowngrade)
    throw OriginError.denied('downgrade', 'redirected from https to http')
  return next
}

function absolute(from: HttpTarget, location: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return location
  if (location.startsWith('//')) return `${from.secure ? 'https' : 'http'}:${location}`
  // RFC 3986 §5.3 without a host of its own: the text cannot leave this origin, whatever it holds.
  if (/[\\\s]/.test(location)) throw OriginError.denied('text', 'space or backslash in Location')
  const base = new URL(from.canonical)
  const { origin, pathname, search } = new URL(location, base)
  return origin === base.origin ? origin + pathname + search : location
}
