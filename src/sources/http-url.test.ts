import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseHttpUrl } from './http-url.ts'

describe('parseHttpUrl()', () => {
  test.for([
    ['http://IMG.test:80/a.jpg#x', 'http://img.test/a.jpg'],
    ['https://img.test.:443', 'https://img.test/'],
    ['https://img.test:8443/a?b=1&b=2', 'https://img.test:8443/a?b=1&b=2'],
    ['http://img.test/%7Euser/a%20b.jpg', 'http://img.test/%7Euser/a%20b.jpg'],
    ['http://bücher.test/', 'http://xn--bcher-kva.test/'],
    ['http://[2606:4700:4700::1111]/', 'http://[2606:4700:4700::1111]/'],
  ] as const)('gives %s the one text %s', ([text, canonical]) => {
    expect(parseHttpUrl(text).canonical).toBe(canonical)
    expect(parseHttpUrl(canonical).canonical).toBe(canonical)
  })

  test.for([
    ['a tab', 'http://img.test/a\tb'],
    ['a line break', 'http://img.test/a\r\nX: y'],
    ['a NUL', 'http://img.test/\0'],
    ['a space', 'http://img.test/a b'],
    ['a space in front', ' http://img.test/'],
    ['DEL', 'http://img.test/\u007f'],
    ['a backslash in the path', 'http://img.test/a\\b'],
    ['a backslash in the query', 'http://img.test/?a\\b'],
    ['8,193 characters', `http://img.test/${'a'.repeat(8193 - 16)}`],
  ] as const)('refuses %s, which parsers drop or reinterpret', ([, text]) => {
    expect(() => parseHttpUrl(text)).toThrow('Cannot read this source: it is not allowed')
  })

  test('gives any text a canonical form that is its own, or a denial', () => {
    const text = fc.oneof(
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
      fc.string({ unit: 'binary' }).map((tail) => `http://img.test/${tail}`),
      fc.string().map((host) => `http://${host}/`),
    )
    fc.assert(
      fc.property(text, (url) => {
        try {
          const { canonical } = parseHttpUrl(url)
          expect(parseHttpUrl(canonical).canonical).toBe(canonical)
        } catch (error) {
          expect(error).toMatchObject({ code: 'source-forbidden' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
