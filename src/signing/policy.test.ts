import { describe, expect, test } from 'vitest'
import { native } from '../dialects/index.ts'
import type { SluiceError } from '../errors/index.ts'
import { fromBase64Url, toBase64Url } from './bytes.ts'
import { checkPolicyOrder, checkPolicyPlan } from './check-policy.ts'
import { createPolicyVerifier, type SignedPolicy, signPolicy } from './policy.ts'
import { macOf } from './sign.ts'

const key = '0a'.repeat(32)
const now = () => 1_000_000
const verify = (text: string, keys = [key]) => createPolicyVerifier({ keys, now })(text)
const policy: SignedPolicy = {
  prefix: 'photos',
  maxW: 1600,
  formats: ['webp'],
  presets: ['card'],
  exp: 2_000_000,
}

describe('createPolicyVerifier()', () => {
  test('gives what was signed', async () => {
    expect(await verify(await signPolicy(policy, { key }))).toEqual(policy)
    expect(await verify(await signPolicy({ src: 'cat.jpg' }, { key }), ['0b'.repeat(32), key])).toEqual({
      src: 'cat.jpg',
    })
  })

  test('[G-02] refuses a policy with any one bit flipped', async () => {
    const text = await signPolicy(policy, { key })
    const flips = Array.from(text, (char, at) =>
      Array.from(
        { length: 7 },
        (_, bit) =>
          text.slice(0, at) + String.fromCharCode(char.charCodeAt(0) ^ (1 << bit)) + text.slice(at + 1),
      ),
    ).flat()
    for (const flipped of flips)
      await expect(verify(flipped)).rejects.toMatchObject({ code: 'policy-invalid' })
  })

  test('refuses bounds that were changed, another key, and MACs made for something else', async () => {
    const [text = '', mac = ''] = (await signPolicy(policy, { key })).split('.')
    const json = new TextDecoder().decode(fromBase64Url(text)).replace('1600', '9600')
    const wider = toBase64Url(new TextEncoder().encode(json))
    const wrong = [
      `${wider}.${mac}`, `${text}.${await macOf(key, text)}`, `${text}.${await macOf('0b'.repeat(32), `sluice-policy-1:${text}`)}`,
      `${text}.${mac}.${mac}`, `${text}.${mac}=`, `${text}=.${mac}`, text, `.${mac}`, '', '.', `${text}.${mac}&v=1`,
    ] // biome-ignore format: a table
    for (const one of wrong) await expect(verify(one)).rejects.toMatchObject({ code: 'policy-invalid' })
    await expect(verify(`${text}.${mac}`, [])).rejects.toMatchObject({ code: 'policy-invalid' })
  })

  test.for([
    ['no JSON', 'no json'],
    ['an unknown bound', '{"src":"a","maxQ":1}'],
    ['a source and a prefix', '{"src":"a","prefix":"a"}'],
    ['neither source nor prefix', '{"maxW":10}'],
    ['text for a number', '{"src":"a","maxW":"10"}'],
    ['a list', '[]'],
  ])('refuses a well signed text with %s', async ([, json]) => {
    const text = toBase64Url(new TextEncoder().encode(json))
    const signed = `${text}.${await macOf(key, `sluice-policy-1:${text}`)}`
    await expect(verify(signed)).rejects.toMatchObject({ code: 'policy-invalid' })
  })

  test('[G-06] keeps an expiry', async () => {
    const expired = await signPolicy({ src: 'a', exp: now() - 1 }, { key })
    await expect(verify(expired)).rejects.toMatchObject({ code: 'signature-expired' })
    const strict = createPolicyVerifier({ keys: [key], now, requireExpiry: true })
    await expect(strict(await signPolicy({ src: 'a' }, { key }))).rejects.toMatchObject({
      code: 'signature-expired',
    })
  })
})

describe('checkPolicyOrder()', () => {
  const judge = (bounds: SignedPolicy, target: string, plain?: string): string => {
    try {
      const { order } = native.parse(native.claim(target))
      checkPolicyOrder(bounds, order, plain ?? order.source)
      return 'ok'
    } catch (error) {
      return (error as SluiceError).code
    }
  }
  const web = { prefix: 'https://h.example/photos' }
  const whole = (url: string) => `/i/_/b64:${Buffer.from(url).toString('base64url')}`

  test.for([
    ['a prefix holds what lies below it', { prefix: 'photos' }, '/i/w=9/photos/cat.jpg', 'ok'],
    ['with a slash, too', { prefix: 'photos/' }, '/i/w=9/photos/cat.jpg', 'ok'],
    ['and ends at a path boundary', { prefix: 'photos' }, '/i/w=9/photos-private/cat.jpg', 'policy-exceeded'],
    ['with a slash, too', { prefix: 'photos/' }, '/i/w=9/photos-private/cat.jpg', 'policy-exceeded'],
    ['a named root is a prefix', { prefix: 'archive:' }, '/i/_/archive:1999/cat.jpg', 'ok'],
    ['and another is not', { prefix: 'archive:' }, '/i/_/archive2:1999/cat.jpg', 'policy-exceeded'],
    ['a source is that one', { src: 'cat.jpg' }, '/i/w=9/cat.jpg', 'ok'],
    ['and no longer one', { src: 'cat.jpg' }, '/i/w=9/cat.jpg2', 'policy-exceeded'],
    ['a host is a prefix', { prefix: 'https://h.example' }, '/i/_/https://h.example/a.jpg', 'ok'],
    [
      'but not of a longer host',
      { prefix: 'https://h.example' },
      '/i/_/https://h.example.evil/a.jpg',
      'policy-exceeded',
    ],
    [
      'nor of a password',
      { prefix: 'https://h.example:' },
      '/i/_/https://h.example:x@evil/a.jpg',
      'policy-exceeded',
    ],
    ['nothing climbs out', web, whole('https://h.example/photos/../private/a.jpg'), 'source-forbidden'],
    [
      'nor in another spelling',
      web,
      whole('https://h.example/photos/%2e%2E/private/a.jpg'),
      'source-forbidden',
    ],
    [
      'nor with a slash that origins decode',
      web,
      whole('https://h.example/photos/..%2fprivate/a.jpg'),
      'policy-exceeded',
    ],
    ['an overlay lies within, too', { prefix: 'photos' }, '/i/ov=photos%2Flogo.png/photos/cat.jpg', 'ok'],
    ['or is refused', { prefix: 'photos' }, '/i/ov=private%2Flogo.png/photos/cat.jpg', 'policy-exceeded'],
    ['a preset of the list', { src: 'cat.jpg', presets: ['card'] }, '/i/preset=card,w=9/cat.jpg', 'ok'],
    ['no other', { src: 'cat.jpg', presets: ['card'] }, '/i/w=9;preset=hero/cat.jpg', 'policy-exceeded'],
    ['any without a list', { src: 'cat.jpg' }, '/i/preset=hero/cat.jpg', 'ok'],
    ['uploads have no policy', { prefix: 'photos' }, '/upload/w=9', 'policy-exceeded'],
  ] as const)('%s: %o', ([, bounds, target, code]) => {
    expect(judge(bounds as SignedPolicy, target)).toBe(code)
  })

  test('an encrypted source counts in plain text, or as the token that the policy fixes', () => {
    expect(judge({ prefix: 'photos' }, '/i/_/e:abc', 'photos/cat.jpg')).toBe('ok')
    expect(judge({ prefix: 'photos' }, '/i/_/e:abc', 'private/cat.jpg')).toBe('policy-exceeded')
    expect(judge({ src: 'e:abc' }, '/i/_/e:abc', 'private/cat.jpg')).toBe('ok')
    expect(judge({ prefix: 'photos' }, '/i/_/e:abc', 'photos/../x')).toBe('policy-exceeded')
  })
})

describe('checkPolicyPlan()', () => {
  const plan = (width: number, height: number, format: 'webp' | 'jpeg' = 'webp') => ({
    size: { width, height },
    output: { format },
  })
  const bounds: SignedPolicy = { src: 'a', maxW: 800, maxH: 600, formats: ['webp', 'avif'] }

  test('lets pass what is within the bounds', () => {
    expect(() => checkPolicyPlan(bounds, plan(800, 600))).not.toThrow()
    expect(() => checkPolicyPlan({ src: 'a' }, plan(9000, 9000, 'jpeg'))).not.toThrow()
  })

  test.for([
    ['width', plan(801, 600)],
    ['height', plan(800, 601)],
    ['format', plan(10, 10, 'jpeg')],
  ] as const)('names the %s that is over', ([bound, over]) => {
    expect(() => checkPolicyPlan(bounds, over)).toThrow(
      expect.objectContaining({ code: 'policy-exceeded', facts: { bound } }),
    )
  })
})
