import { describe, expect, test } from 'vitest'
import { chainOptions } from './chain-options.ts'
import { createRewriter } from './rewrite.ts'

const RULES = {
  'https://old.example.com/*': 's3://archive/*',
  'https://*.cdn.example.com/v1/*.jpg': 'https://origin.example.com/*/*.jpeg',
  's3://archive/*': 's3://twice/*',
  'img/*': 'https://origin.example.com/pictures/*',
  'logo.png': 'brand:logo.png',
}

describe('createRewriter()', () => {
  const rewrite = createRewriter({ rules: RULES })

  test.for([
    ['puts the text under * into its place', 'https://old.example.com/a/b.jpg', 's3://archive/a/b.jpg'],
    [
      'keeps the order of several *',
      'https://eu.cdn.example.com/v1/x/1.jpg',
      'https://origin.example.com/eu/x/1.jpeg',
    ],
    ['applies one rule, once', 's3://archive/a.jpg', 's3://twice/a.jpg'],
    ['decodes from URL to key', 'https://old.example.com/a%20b%2Fc.jpg?x=1#y', 's3://archive/a b/c.jpg'],
    ['encodes from path to URL', 'img/a b?.jpg', 'https://origin.example.com/pictures/a%20b%3F.jpg'],
    ['knows a host however it is written', 'HTTPS://OLD.example.com:443/a.jpg', 's3://archive/a.jpg'],
    ['takes a rule without * as a whole', 'logo.png', 'brand:logo.png'],
    [
      'leaves alone what fits no rule',
      'https://example.com/a%20b.jpg?x=1',
      'https://example.com/a%20b.jpg?x=1',
    ],
    ['treats no other letter as special', 'https://oldXexample.com/a.jpg', 'https://oldXexample.com/a.jpg'],
    ['wants the whole text', 'x/logo.png', 'x/logo.png'],
  ] as const)('%s', ([, ref, expected]) => {
    expect(rewrite(ref)).toBe(expected)
  })

  test.for([
    'https://old.example.com/%2e%2e%2fsecret',
    'https://old.example.com/a%5C..%5Cb',
    'img/../secret',
    'img/%2E./x',
  ])('[S-16] refuses %s', (ref) => {
    expect(() => rewrite(ref)).toThrow(expect.objectContaining({ code: 'source-forbidden' }))
  })

  test('takes no time for many * on a long text', () => {
    const many = createRewriter({ rules: { [`${'*/'.repeat(30)}x`]: `${'*/'.repeat(30)}y` } })
    const started = performance.now()
    expect(many('/'.repeat(8000))).toBe('/'.repeat(8000))
    expect(performance.now() - started).toBeLessThan(100)
  })

  test('refuses a rule whose sides do not fit', () => {
    expect(() => createRewriter({ rules: { 'https://a.example/*': 's3://b/' } })).toThrow(
      expect.objectContaining({ code: 'config-invalid' }),
    )
  })
})

describe('the base URL', () => {
  const rewrite = createRewriter({ baseUrl: 'https://origin.example.com/img', rules: { 'old/*': 'new/*' } })

  test.for([
    ['is put before a plain path', 'a/b c.jpg', 'https://origin.example.com/img/a/b%20c.jpg'],
    ['is put before a path that a rule made', 'old/a.jpg', 'https://origin.example.com/img/new/a.jpg'],
    ['leaves named sources alone', 'archive:a.jpg', 'archive:a.jpg'],
    ['leaves the default root its name', 'default:a.jpg', 'default:a.jpg'],
    ['leaves URLs alone', 's3://bucket/a.jpg', 's3://bucket/a.jpg'],
  ] as const)('%s', ([, ref, expected]) => {
    expect(rewrite(ref)).toBe(expected)
  })

  test('may be a bucket or a name', () => {
    expect(createRewriter({ baseUrl: 's3://shop/' })('a b.jpg')).toBe('s3://shop/a b.jpg')
    expect(createRewriter({ baseUrl: 'products:' })('a.jpg')).toBe('products:a.jpg')
  })

  test.for(['../x', 'a/%2e%2e/x', 'a\0'])('[S-16] is never left by %j', (ref) => {
    expect(() => rewrite(ref)).toThrow(expect.objectContaining({ code: 'source-forbidden' }))
  })

  test.for([
    ['https://origin.example.com', true],
    ['https://origin.example.com/img/', true],
    ['s3://shop/', true],
    ['products:', true],
    ['https://me:secret@example.com/', false],
    ['https://example.com/?q=', false],
    ['/srv/images', false],
    ['s3:', false],
    ['s3://shop', true],
    ['s3://shop/a/../', false],
  ] as const)('%s is a setting: %s', ([baseUrl, valid]) => {
    expect(chainOptions.safeParse({ baseUrl }).success).toBe(valid)
  })
})
