import { describe, expect, test } from 'vitest'
import { etagOf, isFresh, matches } from './etag.ts'

const etag = etagOf('abc')

describe('matches()', () => {
  test.for([
    ['the tag', '"abc"', true],
    ['the tag, said to be weak', 'W/"abc"', true],
    ['a list', '"x", W/"y" ,"abc"', true],
    ['a list without spaces', '"x","abc"', true],
    ['any', '*', true],
    ['another tag', '"abcd"', false],
    ['a tag with a comma', '"x,abc"', false],
    ['no quotes', 'abc', false],
    ['a star in a list', '"x", *', false],
    ['an open quote', '"abc', false],
    ['nothing', '', false],
  ] as const)('%s', ([, header, expected]) => {
    expect(matches(header, etag)).toBe(expected)
  })
})

describe('isFresh()', () => {
  const modified = new Date('2026-01-02T03:04:05.678Z')
  const at = 'Fri, 02 Jan 2026 03:04:05 GMT'
  test.for([
    ['[R-09] the tag decides', { ifNoneMatch: etag }, true],
    ['the tag decides alone', { ifNoneMatch: '"x"', ifModifiedSince: at }, false],
    ['the date that was sent', { ifModifiedSince: at }, true],
    ['a later date', { ifModifiedSince: 'Sat, 03 Jan 2026 00:00:00 GMT' }, true],
    ['an earlier date', { ifModifiedSince: 'Fri, 02 Jan 2026 03:04:04 GMT' }, false],
    ['RFC 850', { ifModifiedSince: 'Friday, 02-Jan-26 03:04:05 GMT' }, true],
    ['asctime', { ifModifiedSince: 'Fri Jan  2 03:04:05 2026' }, true],
    ['a date of no kind', { ifModifiedSince: '2026-01-03' }, false],
    ['no condition', {}, false],
  ] as const)('%s', ([, conditions, expected]) => {
    expect(isFresh(conditions, { etag, modified })).toBe(expected)
  })

  test('a date means nothing where none is known', () => {
    expect(isFresh({ ifModifiedSince: at }, { etag })).toBe(false)
  })
})
