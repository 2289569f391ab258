import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CacheFacts, cacheControl } from './cache-headers.ts'
import { deliveryOptions } from './options.ts'

const options = { ...deliveryOptions.parse({}), maxAgeSeconds: 3600 }
const now = 1_000_000

describe('cacheControl()', () => {
  test.for([
    ['the general setting', {}, {}, 'public, max-age=3600, stale-while-revalidate=86400, stale-if-error=86400'],
    ['shared caches of their own', {}, { sharedMaxAgeSeconds: 60 }, 'public, max-age=3600, s-maxage=60, stale-while-revalidate=86400, stale-if-error=86400'],
    ['no stale answers', {}, { staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }, 'public, max-age=3600'],
    ['a version', { versioned: true }, { sharedMaxAgeSeconds: 60 }, 'public, max-age=31536000, immutable, stale-if-error=86400'],
    ['the origin is not asked', { origin: { maxAgeSeconds: 5, storable: false } }, { staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }, 'public, max-age=3600'],
    ['the origin is asked', { versioned: true, origin: { maxAgeSeconds: 5 } }, { originCacheControl: true, staleWhileRevalidateSeconds: 9, staleIfErrorSeconds: 0 }, 'public, max-age=5, stale-while-revalidate=9'],
    ['the origin says nothing', { origin: { maxAgeSeconds: undefined } }, { originCacheControl: true, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }, 'public, max-age=3600'],
    ['the origin forbids', { origin: { maxAgeSeconds: 5, storable: false } }, { originCacheControl: true }, 'no-store'],
    ['an expiry cuts all', { expiresAt: now + 100 }, { sharedMaxAgeSeconds: 1000 }, 'public, max-age=100'],
    ['and of stale answers leaves the rest', { expiresAt: now + 4000 }, {}, 'public, max-age=3600, stale-while-revalidate=400, stale-if-error=400'],
    ['an expiry bounds a version', { versioned: true, expiresAt: now + 100 }, {}, 'public, max-age=100, immutable'],
    ['an expiry that is now', { expiresAt: now }, {}, 'no-store'],
  ] as const)('%s', ([, facts, changed, expected]) => {
    expect(cacheControl({ versioned: false, now, ...facts }, { ...options, ...changed })).toBe(expected)
  }) // biome-ignore format: a table

  test('never lets a cache serve beyond the expiry', () => {
    const seconds = fc.nat(10_000)
    const facts = fc.record({
      versioned: fc.boolean(),
      origin: fc.option(fc.record({ maxAgeSeconds: fc.option(seconds, { nil: undefined }) }), {
        nil: undefined,
      }),
      left: seconds,
    })
    const settings = fc.record({
      maxAgeSeconds: seconds, sharedMaxAgeSeconds: fc.option(seconds, { nil: undefined }), staleWhileRevalidateSeconds: seconds,
      staleIfErrorSeconds: seconds, versionedMaxAgeSeconds: seconds, originCacheControl: fc.boolean(),
    }) // biome-ignore format: a table
    fc.assert(
      fc.property(facts, settings, ({ left, ...rest }, random) => {
        const text = cacheControl(
          { ...(rest as Omit<CacheFacts, 'now'>), now, expiresAt: now + left },
          random,
        )
        const value = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1] ?? 0)
        const fresh = Math.max(...[...text.matchAll(/max-?age=(\d+)/g)].map(([, age]) => Number(age)), 0)
        const stale = Math.max(value('stale-while-revalidate'), value('stale-if-error'))
        expect(fresh + stale).toBeLessThanOrEqual(left)
      }),
    )
  })
})
