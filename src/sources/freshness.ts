import CachePolicy from 'http-cache-semantics'
import type { Freshness } from './define.ts'
import type { Head } from './exchange.ts'

/** Request headers that are the same for every client, or never sent at all by browsers' leave (CORS). */
const CONSTANT = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'origin',
  'user-agent',
])
const MAX_SECONDS = 31_536_000

/**
 * What an origin allows a shared cache to do with its answer. There are no guesses: an origin that says nothing gets
 * `undefined`, and the service has a setting for that.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111
 * @see https://www.rfc-editor.org/rfc/rfc5861
 */
export function readFreshness({ headers }: Head): Freshness {
  const response = { status: 200, headers: { ...headers } }
  // The request as it always is: what an operator adds for a host is the same for every client, so it counts for nothing.
  const policy = new CachePolicy({ method: 'GET', headers: {} }, response, {
    shared: true,
    cacheHeuristic: 0,
  })
  const control = headers['cache-control'] ?? ''
  const explicit =
    headers.expires !== undefined || /\b(?:s-maxage|max-age|no-cache|no-store)\b/i.test(control)
  const varying = (headers.vary ?? '').split(',').map((name) => name.trim().toLowerCase())
  const storable =
    !/\b(?:no-store|private)\b/i.test(control) &&
    headers['set-cookie'] === undefined &&
    varying.every((name) => name === '' || CONSTANT.has(name))
  const strict = /\b(?:must-revalidate|proxy-revalidate|s-maxage|no-cache)\b/i.test(control)
  return {
    maxAgeSeconds: explicit ? seconds(policy.maxAge() - policy.age()) : undefined,
    storable,
    ...allowance('staleWhileRevalidateSeconds', 'stale-while-revalidate', control, strict),
    ...allowance('staleIfErrorSeconds', 'stale-if-error', control, strict),
  }
}

function allowance(
  field: 'staleWhileRevalidateSeconds' | 'staleIfErrorSeconds',
  directive: string,
  control: string,
  strict: boolean,
): Partial<Freshness> {
  const value = new RegExp(`(?:^|,)\\s*${directive}\\s*=\\s*"?(\\d{1,10})"?\\s*(?:,|$)`, 'i').exec(
    control,
  )?.[1]
  // Said as 0, not left out: the defaults of the service must not soften what the origin forbids.
  if (strict) return { [field]: 0 }
  return value === undefined ? {} : { [field]: seconds(Number(value)) }
}

function seconds(value: number): number {
  return Number.isFinite(value) ? Math.min(MAX_SECONDS, Math.max(0, Math.round(value))) : 0
}
