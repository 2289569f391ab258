import { describe, expect, test } from 'vitest'
import { contentDisposition } from './content-disposition.ts'
import { parseHttpDate } from './http-date.ts'
import { canonicalLink } from './link.ts'
import { vary } from './vary.ts'

describe('contentDisposition()', () => {
  test.for([
    ['shown', { format: 'webp' }, 'inline; filename="image.webp"'],
    ['saved', { format: 'jpeg', filename: 'my cat' }, 'attachment; filename="my cat.jpg"'],
    ['beyond ASCII', { format: 'png', filename: 'Kätz (1)' }, `attachment; filename="K_tz (1).png"; filename*=UTF-8''K%C3%A4tz%20%281%29.png`],
    ['what would end the value', { format: 'gif', filename: 'a"; x="\r\nb\\' }, `attachment; filename="a_; x=___b_.gif"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0Ab%5C.gif`],
    ['half a character', { format: 'tiff', filename: '\ud800' }, `attachment; filename="_.tiff"; filename*=UTF-8''%EF%BF%BD.tiff`],
  ] as const)('[R-01] %s', ([, facts, expected]) => {
    expect(contentDisposition(facts)).toBe(expected)
  }) // biome-ignore format: a table
})

describe('vary()', () => {
  test.for([
    ['the URL alone decided', { negotiated: false, saveData: false }, undefined],
    ['[C-02] the format was negotiated', { negotiated: true, saveData: false }, 'Accept'],
    ['Save-Data counted', { negotiated: true, saveData: true }, 'Accept, Save-Data'],
    ['the DPR was left open', { negotiated: false, saveData: false, hints: { dpr: true } }, 'Sec-CH-DPR, DPR'],
    ['the width was left open', { negotiated: false, saveData: false, hints: { width: true } }, 'Sec-CH-Width, Width, Sec-CH-Viewport-Width, Viewport-Width'],
  ] as const)('%s', ([, facts, expected]) => {
    expect(vary(facts)).toBe(expected)
  }) // biome-ignore format: a table
})

test('canonicalLink() holds what a header can', () => {
  expect(canonicalLink('https://h.example/i/w=4,h=2/a.jpg')).toBe(
    '<https://h.example/i/w=4,h=2/a.jpg>; rel="canonical"',
  )
  expect(canonicalLink('https://h/ä>\r\n"')).toBe('<https://h/%C3%A4%3E%0D%0A%22>; rel="canonical"')
})

test('parseHttpDate() reads the three forms and no other', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  const forms = [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ]
  expect(forms.map(parseHttpDate)).toEqual([at, at, at])
  for (const text of [
    '',
    '0',
    '1994-11-06',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 99 Nov 1994 08:49:37 GMT',
  ])
    expect(parseHttpDate(text)).toBeUndefined()
})
