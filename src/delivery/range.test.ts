import { describe, expect, test } from 'vitest'
import { contentRange, parseRange } from './range.ts'

const modified = new Date('2026-01-02T03:04:05.678Z')
const read = (header: string | undefined, ifRange?: string, length = 100) =>
  parseRange(header, { ifRange, etag: '"abc"', modified, length })
const part = (from: number, to: number) => ({ kind: 'part', from, to })
const whole = { kind: 'whole' }

describe('parseRange()', () => {
  test.for([
    ['no header', undefined, whole],
    ['the first byte', 'bytes=0-0', part(0, 0)],
    ['a middle', 'bytes=10-19', part(10, 19)],
    ['to the end', 'bytes=90-', part(90, 99)],
    ['beyond the end', 'bytes=90-100000000000000000000000', part(90, 99)],
    ['the last ones', 'bytes=-10', part(90, 99)],
    ['more last ones than there are', 'bytes=-1000', part(0, 99)],
    ['a unit in capitals', 'Bytes=0-9', part(0, 9)],
    ['behind the end', 'bytes=100-', { kind: 'unsatisfiable' }],
    ['no last ones', 'bytes=-0', { kind: 'unsatisfiable' }],
    ['backwards', 'bytes=9-5', whole],
    ['several', 'bytes=0-1,5-6', whole],
    ['200 of them', `bytes=${Array.from({ length: 200 }, (_, n) => `${n}-${n}`).join()}`, whole],
    ['another unit', 'pages=1-2', whole],
    ['nothing', 'bytes=-', whole],
    ['a sign', 'bytes=+1-2', whole],
    ['junk', 'bytes=a-b', whole],
  ] as const)('[R-08] %s', ([, header, expected]) => {
    expect(read(header)).toEqual(expected)
  })

  test.for([
    ['the tag', '"abc"', part(0, 9)],
    ['a weak tag', 'W/"abc"', whole],
    ['another tag', '"abd"', whole],
    ['the date', 'Fri, 02 Jan 2026 03:04:05 GMT', part(0, 9)],
    ['a later date', 'Fri, 02 Jan 2026 03:04:06 GMT', whole],
    ['junk', 'yesterday', whole],
  ] as const)('[R-08] If-Range with %s', ([, ifRange, expected]) => {
    expect(read('bytes=0-9', ifRange)).toEqual(expected)
  })

  test('has nothing to give of nothing', () => {
    expect(read('bytes=0-', undefined, 0)).toEqual({ kind: 'unsatisfiable' })
    expect(read('bytes=-5', undefined, 0)).toEqual({ kind: 'unsatisfiable' })
  })
})

test('contentRange() tells the part and the length', () => {
  expect(contentRange({ kind: 'part', from: 0, to: 9 }, 100)).toBe('bytes 0-9/100')
  expect(contentRange({ kind: 'unsatisfiable' }, 100)).toBe('bytes */100')
})
