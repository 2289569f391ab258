import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../errors/index.ts'
import { native } from './native.ts'
import { encodeValue } from './percent.ts'

const parse = (target: string) => native.parse(native.claim(target))
const sourceOf = (raw: string) => parse(`/i/_/${raw}`).order.source
const b64 = (text: string) => `b64:${Buffer.from(text).toString('base64url')}`

const codeOf = (target: string): string => {
  try {
    parse(target)
    return 'ok'
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error)
  }
}

describe('claim()', () => {
  test.for([
    ['no query', '/i/_/a', { signed: '/i/_/a', path: '/i/_/a', query: '' }],
    ['a signature alone', '/i/_/a?s=X', { signed: '/i/_/a', signature: 'X', query: '' }],
    ['a signature behind', '/i/_/a?exp=9&v=1&s=X', { signed: '/i/_/a?exp=9&v=1', signature: 'X', expires: 9, query: 'exp=9&v=1' }],
    ['what follows a signature belongs to it', '/i/_/a?s=X&v=1', { signed: '/i/_/a', signature: 'X&v=1', query: '' }],
    ['a second signature, too', '/i/_/a?s=X&s=Y', { signed: '/i/_/a', signature: 'X&s=Y' }],
    ['an empty signature', '/i/_/a?s=', { signature: '' }],
    ['a policy', '/i/_/a?v=1&dl=x&p=J.M', { policy: 'J.M', query: 'v=1&dl=x' }],
    ['what follows a policy', '/i/_/a?p=J.M&v=1', { policy: 'J.M&v=1', query: '' }],
    ['nothing is decoded', '/i/_/a?s=%41', { signature: '%41' }],
    ['an expiry in another spelling', '/i/_/a?exp=09&s=X', { signed: '/i/_/a?exp=09', signature: 'X', query: 'exp=09' }],
  ] as const)('slices %s', ([, target, expected]) => {
    const absent = { signature: undefined, policy: undefined, expires: undefined }
    expect(native.claim(target)).toMatchObject({ ...absent, ...expected })
  }) // biome-ignore format: a table

  test.for([
    ['nothing behind the mark', '/i/_/a?'],
    ['an empty pair before a signature', '/i/_/a?&s=X'],
    ['an empty pair before a policy', '/i/_/a?&p=J.M'],
    ['an empty pair between', '/i/_/a?v=1&&s=X'],
    ['a policy and a signature', '/i/_/a?p=J.M&s=X'],
    ['a signature and a policy', '/i/_/a?s=X&p=J.M'],
    ['a policy and an expiry', '/i/_/a?exp=9&p=J.M'],
    ['a policy before an expiry', '/i/_/a?p=J.M&exp=9'],
    ['a space', '/i/_/a b'],
    ['a byte beyond ASCII', '/i/_/\u00e4'],
    ['no path', 'i/_/a'],
    ['an absolute URL', 'http://h/i/_/a'],
  ] as const)('refuses %s', ([, target]) => {
    expect(codeOf(target)).toBe('url-invalid')
  })
})

describe('parse() of a source', () => {
  test.for([
    ['a path', 'photos/my%20cat.jpg', 'photos/my cat.jpg'],
    ['a named root', 'archive:1999/cat.jpg', 'archive:1999/cat.jpg'],
    ['a raw URL', 'https://h.example/a/b.jpg', 'https://h.example/a/b.jpg'],
    ['a raw URL with a port', 'http://h.example:8080/a', 'http://h.example:8080/a'],
    ['a whole URL', encodeValue('https://h/a%20b//c.jpg?w=1&x=%3F#f'), 'https://h/a%20b//c.jpg?w=1&x=%3F#f'],
    ['a whole URL that could stand raw', 'https:%2F%2Fh%2Fa.jpg', 'https://h/a.jpg'],
    ['a URL in base64url', b64('https://h/ä?b=%2F'), 'https://h/ä?b=%2F'],
    ['S3', 's3://bucket/a%20key/x.jpg', 's3://bucket/a key/x.jpg'],
    ['Google', 'gs://bucket/key', 'gs://bucket/key'],
    ['Azure', 'az://container/key', 'az://container/key'],
    ['a bucket key with two slashes', encodeValue('s3://bucket/a//b'), 's3://bucket/a//b'],
    ['an encrypted one stays as it is', 'e:AbC_-9', 'e:AbC_-9'],
    ['a percent sign is decoded once', 'a%252Fb', 'a%2Fb'],
  ] as const)('reads %s', ([, raw, source]) => {
    expect(sourceOf(raw)).toBe(source)
    const { action, order } = parse(`/i/_/${raw}`)
    expect(parse(native.format(action, order)).order).toEqual(order)
  })

  test.for([
    ['%2F for a slash', 'photos%2Fcat.jpg'],
    ['%2F in a bucket key', 's3://bucket/a%2Fb'],
    ['a leading slash', '/cat.jpg'],
    ['two slashes', 'photos//cat.jpg'],
    ['two slashes in a URL', 'https://h//a.jpg'],
    ['three slashes', 'https:///a.jpg'],
    ['a dot segment', './cat.jpg'],
    ['a dot segment within', 'photos/./cat.jpg'],
    ['a parent', 'photos/../cat.jpg'],
    ['a parent, encoded', 'photos/%2E%2E/cat.jpg'],
    ['a parent in a whole URL', encodeValue('https://h/a/../b')],
    ['its other spelling', encodeValue('https://h/a/%2e%2E/b')],
    ['a parent in base64url', b64('../package.json')],
    ['a raw URL with %', 'https://h/a%20b.jpg'],
    ['a whole URL with a raw slash', 'https:%2F%2Fh/a.jpg'],
    ['a whole URL with a colon encoded', 'https%3A%2F%2Fh%2Fa.jpg'],
    ['a plus', 'a+b.jpg'],
    ['lower-case hexadecimal', 'a%c3%a4.jpg'],
    ['a plain byte, encoded', '%61.jpg'],
    ['half an encoding', 'a%2'],
    ['no UTF-8', 'a%FF'],
    ['a NUL', 'a%00b'],
    ['a fragment', 'a.jpg#x'],
    ['a backslash', 'a\\b'],
    ['a tab in a URL', encodeValue('https://h/a\tb')],
    ['a backslash in a URL', encodeValue('https://h\\@evil/a')],
    ['padded base64url', `${b64('ab')}=`],
    ['base64', 'b64:a+b/'],
    ['unused bits in base64url', 'b64:YWJ'],
    ['base64url twice', b64(b64('a'))],
    ['an encrypted one in base64url', b64('e:AAAA')],
    ['an encrypted one with more', 'e:AAAA/b'],
    ['nothing', ''],
  ] as const)('[G-02] refuses %s', ([, raw]) => {
    expect(['url-invalid', 'source-forbidden']).toContain(codeOf(`/i/_/${raw}`))
  })

  test('an overlay may be in base64url, too', () => {
    const step = (recipe: string) => parse(`/i/${recipe}/a`).order.recipe.stages[0]?.steps[0]
    expect(step(`ov=${b64('marks/a b.png')}`)).toEqual(step('ov=marks%2Fa%20b.png'))
  })
})

describe('parse() of a query', () => {
  test('reads version and file name', () => {
    expect(parse('/i/_/a?exp=99&v=2&dl=my%20cat').order.delivery).toEqual({
      version: '2',
      filename: 'my cat',
    })
    expect(parse('/i/_/a?v=2&p=J.M').order.delivery).toEqual({ version: '2' })
  })

  test.for([
    ['a key twice', 'v=1&v=1', 'parameter-duplicate'],
    ['keys in another order', 'dl=a&v=1', 'url-invalid'],
    ['an expiry behind', 'v=1&exp=9', 'url-invalid'],
    ['an unknown key', 'w=1', 'parameter-unknown'],
    ['an empty pair', 'v=1&', 'url-invalid'],
    ['a key without a value', 'v', 'parameter-invalid'],
    ['a plus', 'dl=a+b', 'url-invalid'],
    ['an expiry in another spelling', 'exp=09', 'parameter-invalid'],
    ['a name that could lead out', 'dl=..%2Fa', 'parameter-invalid'],
    ['redirect', 'redirect=1', 'parameter-invalid'],
    ['store', 'store=1', 'parameter-invalid'],
  ] as const)('[G-02] refuses %s', ([, query, code]) => {
    expect(codeOf(`/i/_/a?${query}`)).toBe(code)
  })
})

describe('parse() of what is left to the client', () => {
  test('dpr=auto and w=auto become hints', () => {
    const { order } = parse('/i/h=50,fit=cover,w=auto;blur=2,dpr=auto/a')
    expect(order).toMatchObject({ dpr: 1, hints: { dpr: true, width: true } })
    expect(order.recipe.stages[0]?.steps).toEqual([{ op: 'resize', height: 50, fit: 'cover' }])
    expect(native.format('render', order)).toBe('/i/w=auto,h=50,fit=cover;blur=2,dpr=auto/a')
    expect('hints' in parse('/i/w=5,dpr=2/a').order).toBe(false)
  })

  test.for([
    ['a width in a later stage', 'blur=2;w=auto', 'parameter-invalid'],
    ['a width twice', 'w=auto,w=5', 'parameter-duplicate'],
    ['a DPR twice', 'dpr=auto;dpr=2', 'parameter-duplicate'],
    ['a height', 'h=auto', 'parameter-invalid'],
  ] as const)('refuses %s', ([, recipe, code]) => {
    expect(codeOf(`/i/${recipe}/a`)).toBe(code)
  })
})

describe('format()', () => {
  const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 })
  const source = fc.oneof(
    fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `https://h.example/${parts.join('/')}`),
    fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `s3://bucket/${parts.join('/')}`),
    fc.stringMatching(/^e:[A-Za-z0-9_-]{1,20}$/),
  )
  const recipe = fc.constantFrom(
    '_',
    'w=auto',
    'w=auto;blur=2',
    'w=4,dpr=auto',
    'dpr=2',
    'preset=card,w=auto,dpr=auto',
    'w=4,h=5;format=webp,q=60',
  )
  const delivery = fc.record(
    {
      version: fc.string({ unit: 'grapheme', minLength: 1 }),
      filename: fc.stringMatching(/^[A-Za-z0-9 _.-]{1,20}$/),
    },
    { requiredKeys: [] },
  )

  test('gives a URL that is read as the same order, whatever the source', () => {
    let read = 0
    fc.assert(
      fc.property(source, recipe, delivery, (text, options, wishes) => {
        const order = { ...parse(`/i/${options}/x`).order, source: text, delivery: wishes }
        try {
          expect(parse(native.format('render', order)).order).toEqual(order)
          read += 1
        } catch (error) {
          // Forbidden in any spelling: dot segments, NUL, control characters in a URL.
          if (!(error instanceof SluiceError) || error.code !== 'source-forbidden') throw error
        }
      }),
      { numRuns: 5000 },
    )
    expect(read).toBeGreaterThan(2500)
  })

  test('any target is an order or an error of the service', () => {
    const piece = fc.constantFrom(
      '/',
      '//',
      '.',
      '..',
      '%2F',
      '%2f',
      '%',
      '?',
      '&',
      '=',
      's=',
      'p=',
      'exp=1',
      'v=1',
      'dl=a',
      'b64:',
      'e:',
      'https:',
      'w=1',
      'w=auto',
      ',',
      ';',
      '_',
      'a',
      '+',
      '#',
    )
    fc.assert(
      fc.property(
        fc.constantFrom('/i/', '/info/', '/explain/_/', '/upload'),
        fc.array(piece, { maxLength: 12 }),
        (mount, pieces) => {
          const target = mount + pieces.join('')
          try {
            const { action, order } = parse(target)
            expect(parse(native.format(action, order))).toEqual({ action, order })
          } catch (error) {
            if (!(error instanceof SluiceError)) throw error
            expect(error.status()).toBeLessThan(500)
          }
        },
      ),
      { numRuns: 10_000 },
    )
  })
})
