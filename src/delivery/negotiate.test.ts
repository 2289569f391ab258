import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatFor, NEGOTIATION_CLASSES, negotiate, qualityFor } from './negotiate.ts'

const both = { autoFormats: ['avif', 'webp'] as ('avif' | 'webp')[] }
const classOf = (accept: string | undefined, saveData?: string, options = both) =>
  negotiate({ accept, saveData }, options)

describe('negotiate()', () => {
  test.for([
    ['Chrome', 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'avif'],
    ['Firefox', 'image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5', 'avif'],
    ['Safari 14', 'image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5', 'webp'],
    ['curl', '*/*', 'legacy'],
    ['image/* names no format', 'image/*', 'legacy'],
    ['no header', undefined, 'legacy'],
    ['an empty header', '', 'legacy'],
    ['other types only', 'text/html,application/json', 'legacy'],
    ['case does not matter', 'Image/AVIF', 'avif'],
    ['spaces do not matter', ' image/webp ; q=0.5 , image/png;q=0.1', 'webp'],
    ['weight 0 refuses', 'image/avif;q=0, image/webp', 'webp'],
    ['weight 0.000 refuses', 'image/avif;q=0.000, image/webp;q=0.0', 'legacy'],
    ['a refusal beats a wildcard', 'image/webp;q=0, image/*', 'legacy'],
    ['a refusal beats a repetition', 'image/webp, image/webp;q=0', 'legacy'],
    ['a wildcard that refuses does not beat a name', 'image/webp, image/*;q=0', 'webp'],
    ['the client prefers WebP', 'image/avif;q=0.5, image/webp;q=0.9', 'webp'],
    ['the client prefers JPEG', 'image/jpeg, image/avif;q=0.5, image/webp;q=0.9', 'legacy'],
    ['equal weights', 'image/webp;q=0.9, image/avif;q=0.9', 'avif'],
    ['a weight that is none', 'image/avif;q=2, image/webp;q=high', 'legacy'],
    ['other parameters before the weight', 'image/avif;level=1;q=0, image/webp;x=","', 'webp'],
    ['a type that only begins alike', 'image/avif-sequence, image/webp2', 'legacy'],
    ['junk', ',,;;=,"', 'legacy'],
  ] as const)('%s', ([, accept, expected]) => {
    expect(classOf(accept)).toBe(expected)
  })

  test.for([
    ['on, with WebP', 'image/avif,image/webp', 'on', 'data-saver'],
    ['on, without WebP', 'image/avif', 'on', 'avif'],
    ['on, with neither', '*/*', 'on', 'legacy'],
    ['off', 'image/webp', 'off', 'webp'],
    ['some other word', 'image/webp', 'once', 'webp'],
  ] as const)('Save-Data %s', ([, accept, saveData, expected]) => {
    expect(classOf(accept, saveData)).toBe(expected)
  })

  test('chooses only what the operator lets it', () => {
    const all = 'image/avif,image/webp'
    expect(classOf(all, undefined, { autoFormats: ['webp'] })).toBe('webp')
    expect(classOf(all, 'on', { autoFormats: ['avif'] })).toBe('avif')
    expect(classOf(all, 'on', { autoFormats: [] })).toBe('legacy')
  })

  test('[C-02] 10,000 random Accept headers give at most four classes', () => {
    const range = fc.constantFrom(
      'image/avif',
      'image/webp',
      'image/*',
      '*/*',
      'image/jpeg',
      'text/html',
      'x',
      '',
      '"',
      '\u0000',
    )
    const weight = fc.constantFrom('', ';q=0', ';q=0.5', ';q=1', ';q=x', ';q=', ' ; Q=0.3', ';a=b;q=0.1')
    const header = fc
      .array(
        fc.tuple(range, weight).map((parts) => parts.join('')),
        { maxLength: 12 },
      )
      .map((list) => list.join(','))
    const classes = new Set<string>()
    fc.assert(
      fc.property(
        fc.oneof(header, fc.string()),
        fc.constantFrom(undefined, 'on', 'junk'),
        (accept, saveData) => {
          classes.add(classOf(accept, saveData))
        },
      ),
      { numRuns: 10_000 },
    )
    expect([...classes].toSorted()).toEqual([...NEGOTIATION_CLASSES].toSorted())
  })

  test('does bounded work on a huge header', () => {
    const startedAt = performance.now()
    for (const accept of ['"'.repeat(1e6), 'image/webp,'.repeat(1e5), ';q='.repeat(3e5)])
      expect(classOf(accept)).toBe('legacy')
    expect(performance.now() - startedAt).toBeLessThan(200)
  })
})

describe('formatFor()', () => {
  test.for([
    ['avif', { alpha: false, frames: 1 }, 'avif'],
    ['avif', { alpha: true, frames: 1 }, 'avif'],
    ['avif', { alpha: false, frames: 9 }, 'webp'],
    ['webp', { alpha: true, frames: 1 }, 'webp'],
    ['webp', { alpha: true, frames: 9 }, 'webp'],
    ['data-saver', { alpha: false, frames: 1 }, 'webp'],
    ['data-saver', { alpha: false, frames: 9 }, 'webp'],
    ['legacy', { alpha: false, frames: 1 }, 'jpeg'],
    ['legacy', { alpha: true, frames: 1 }, 'png'],
    ['legacy', { alpha: true, frames: 9 }, 'gif'],
  ] as const)('%s and %o give %s', ([negotiated, probe, format]) => {
    expect(formatFor(negotiated, probe)).toBe(format)
  })
})

describe('qualityFor()', () => {
  test('lowers the quality for Save-Data alone', () => {
    expect(NEGOTIATION_CLASSES.map(qualityFor)).toEqual([undefined, undefined, undefined, 55])
  })
})
