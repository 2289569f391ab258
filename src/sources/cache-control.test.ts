import { describe, expect, test } from 'vitest'
import { freshnessOf } from './cache-control.ts'

describe('freshnessOf()', () => {
  test.for([
    [undefined, { maxAgeSeconds: undefined, storable: true }],
    ['public, max-age=60', { maxAgeSeconds: 60, storable: true }],
    ['Max-Age=60, s-maxage="10"', { maxAgeSeconds: 10, storable: true }],
    ['no-cache, max-age=60', { maxAgeSeconds: 0, storable: true }],
    ['no-store', { maxAgeSeconds: undefined, storable: false }],
    ['private, max-age=60', { maxAgeSeconds: 60, storable: false }],
    ['max-age=-1', { maxAgeSeconds: undefined, storable: true }],
    [
      'max-age=1, stale-while-revalidate=2, stale-if-error=3',
      { maxAgeSeconds: 1, storable: true, staleWhileRevalidateSeconds: 2, staleIfErrorSeconds: 3 },
    ],
  ] as const)('%s', ([header, expected]) => {
    expect(freshnessOf(header, false)).toEqual(expected)
  })

  test('keeps a version for a year, unless it may not be kept at all', () => {
    expect(freshnessOf('max-age=60', true)).toEqual({ maxAgeSeconds: 31_536_000, storable: true })
    expect(freshnessOf('no-store', true)).toMatchObject({ storable: false })
  })
})
