import type { Freshness } from './define.ts'

const YEAR_SECONDS = 31_536_000

/**
 * What the `Cache-Control` of an object says about keeping it.
 *
 * @param versioned One version was asked for: its bytes never change.
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2
 */
export function freshnessOf(cacheControl: string | undefined, versioned: boolean): Freshness {
  const directives = new Map(
    (cacheControl ?? '').split(',').map((part) => {
      const [name = '', value = ''] = part.trim().split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')] as const
    }),
  )
  const storable = !directives.has('no-store') && !directives.has('private')
  if (versioned) return { maxAgeSeconds: YEAR_SECONDS, storable }
  const seconds = (name: string): number | undefined => {
    const text = directives.get(name)
    return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
  }
  const stale = seconds('stale-while-revalidate')
  const error = seconds('stale-if-error')
  return {
    maxAgeSeconds: directives.has('no-cache') ? 0 : (seconds('s-maxage') ?? seconds('max-age')),
    storable,
    ...(stale === undefined ? {} : { staleWhileRevalidateSeconds: stale }),
    ...(error === undefined ? {} : { staleIfErrorSeconds: error }),
  }
}
