import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { native } from '../dialects/index.ts'
import type { SluiceError } from '../errors/index.ts'
import { signTarget } from './sign.ts'
import { createVerifier } from './verify.ts'

const key = '0a'.repeat(32)
const other = '0b'.repeat(32)
const now = () => 1_000_000

const codeOf = async (target: string, keys = [key], options = {}): Promise<string> => {
  try {
    await createVerifier({ keys, now, ...options })(native.claim(target))
    return 'ok'
  } catch (error) {
    return (error as SluiceError).code
  }
}

describe('signTarget()', () => {
  test('[G-02] is HMAC-SHA-256 of the raw target, as another library computes it', async () => {
    const text = '/i/w=400/cat.jpg?exp=2000000'
    const mac = createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('base64url')
    expect(await signTarget('/i/w=400/cat.jpg', { key, expires: 2_000_000 })).toBe(`${text}&s=${mac}`)
  })

  test('puts the expiry before the other keys and the signature behind them', async () => {
    const signed = await signTarget('/i/_/cat.jpg?v=2&dl=cat', { key, expires: 2_000_000 })
    expect(signed).toMatch(/^\/i\/_\/cat\.jpg\?exp=2000000&v=2&dl=cat&s=[\w-]{43}$/)
    expect(await codeOf(signed)).toBe('ok')
    expect(() => native.parse(native.claim(signed))).not.toThrow()
  })

  test.for([
    ['/i/_/cat.jpg?s=x', {}],
    ['/i/_/cat.jpg?v=1&p=x', {}],
    ['/i/_/cat.jpg?exp=5', { expires: 9 }],
  ] as const)('refuses to sign what is signed or dated already: %s', async ([target, options]) => {
    await expect(signTarget(target, { key, ...options })).rejects.toMatchObject({ code: 'parameter-invalid' })
  })
})

describe('createVerifier()', () => {
  test('[G-02] refuses a URL of 300 bytes with any one bit flipped', async () => {
    const path = `/i/w=400,h=300,fit=cover;blur=2/${'photos/'.repeat(20)}cat%20one.jpg?v=12&dl=my-cat_1`
    const signed = await signTarget(path, { key, expires: 2_000_000 })
    expect(signed.length).toBeGreaterThan(250)
    const codes = new Set<string>()
    for (let at = 0; at < signed.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = String.fromCharCode(signed.charCodeAt(at) ^ (1 << bit))
        codes.add(await codeOf(signed.slice(0, at) + flipped + signed.slice(at + 1)))
      }
    }
    expect([...codes].toSorted()).toEqual(['signature-invalid', 'signature-missing', 'url-invalid'])
  })

  test('[G-02] refuses every rewriting of a signed URL', async () => {
    const signed = await signTarget('/i/w=400,h=30/photos/a%20b.jpg?v=1&dl=x', { key, expires: 2_000_000 })
    expect(await codeOf(signed)).toBe('ok')
    const rewritings: readonly (readonly [string, string])[] = [
      ['photos/', 'photos%2F'], ['photos/', 'photos//'], ['photos/', './photos/'], ['/i/', '//i/'], ['a%20b', 'a+b'], ['a%20b', 'a%2520b'],
      ['photos', '%70hotos'], ['photos', 'Photos'], ['w=400,h=30', 'h=30,w=400'], ['v=1&dl=x', 'dl=x&v=1'], ['v=1&', 'v=1&v=1&'],
      ['&s=', '&&s='], ['&s=', '&S='], ['?exp', '?&exp'], ['exp=2000000&', ''], ['exp=2000000', 'exp=3000000'], ['&dl=x', ''], ['.jpg?', '.jpg/?'],
    ] // biome-ignore format: a table
    for (const [from, to] of rewritings)
      expect([to, await codeOf(signed.replace(from, to))]).toEqual([
        to,
        expect.stringMatching(/^signature-|^url-invalid/),
      ])
    for (const tail of ['&', '?', '#', '#a', '&s=', '&v=1', '=', '%3D', ' '])
      expect([tail, await codeOf(signed + tail)]).toEqual([
        tail,
        expect.stringMatching(/^signature-|^url-invalid/),
      ])
  })

  test('[G-02] refuses an empty pair before the signature', async () => {
    const signed = await signTarget('/i/_/cat.jpg', { key })
    expect(await codeOf(signed.replace('?s=', '?&s='))).toBe('url-invalid')
  })

  test('[G-04] refuses truncated, padded and differently spelled MACs', async () => {
    const signed = await signTarget('/i/_/cat.jpg', { key })
    const at = signed.indexOf('s=') + 2
    const [head, mac] = [signed.slice(0, at), signed.slice(at)]
    const bytes = Buffer.from(mac, 'base64url')
    // The last character has two unused bits: other texts of the same bytes.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(mac.at(-1) as string)
    const spellings = [1, 2, 3].map((bits) => mac.slice(0, -1) + alphabet[last ^ bits])
    expect(spellings.every((text) => Buffer.from(text, 'base64url').equals(bytes))).toBe(true)
    const wrong = [
      '', mac.slice(0, -1), mac.slice(0, 22), `${mac}A`, `${mac}=`, `${mac}==`, bytes.toString('hex'), bytes.subarray(0, 31).toString('base64url'),
      Buffer.concat([bytes, Buffer.of(0)]).toString('base64url'), mac.toUpperCase(), mac.toLowerCase(), ` ${mac}`, `%${mac}`, ...spellings,
    ] // biome-ignore format: a table
    for (const text of wrong) expect([text, await codeOf(head + text)]).not.toEqual([text, 'ok'])
    const dashed = await findSigned((text) => text.includes('-') && text.includes('_'))
    expect(await codeOf(dashed)).toBe('ok')
    expect(await codeOf(dashed.replaceAll('-', '+'))).not.toBe('ok')
    const [front, back = ''] = dashed.split('s=')
    expect(await codeOf(`${front}s=${back.replaceAll('_', '/')}`)).toBe('signature-invalid')
  })

  test('[G-05] any key verifies, until it is taken away', async () => {
    const signed = await signTarget('/i/_/cat.jpg', { key: other })
    expect(await codeOf(signed, [key, other])).toBe('ok')
    expect(await codeOf(signed, [key])).toBe('signature-invalid')
    expect(await codeOf(signed, [])).toBe('signature-invalid')
  })

  test('[G-06] an expiry is signed and kept', async () => {
    const at = (expires: number) => signTarget('/i/_/cat.jpg', { key, expires })
    expect(await codeOf(await at(now()))).toBe('ok')
    expect(await codeOf(await at(now() - 61))).toBe('signature-expired')
    expect(await codeOf(await signTarget('/i/_/cat.jpg', { key }), [key], { requireExpiry: true })).toBe(
      'signature-expired',
    )
  })

  test('[G-03] two different targets never share a message', () => {
    // Few characters, so that near misses are frequent.
    const part = fc.stringMatching(/^[ab=&?/]{0,5}$/)
    const targets = new Map<string, string>()
    fc.assert(
      fc.property(part, part, (path, query) => {
        const target = `/i/${path}${query === '' ? '' : `?${query}`}`
        const signed = messageOf(`${target}${target.includes('?') ? '&' : '?'}s=m`)
        if (signed === undefined) return
        expect(targets.get(signed) ?? target).toBe(target)
        targets.set(signed, target)
      }),
      { numRuns: 50_000 },
    )
    expect(targets.size).toBeGreaterThan(5000)
  })
})

async function findSigned(wanted: (signed: string) => boolean): Promise<string> {
  for (let n = 1; ; n++) {
    const signed = await signTarget(`/i/w=${n}/cat.jpg`, { key })
    if (wanted(signed.slice(signed.indexOf('s=')))) return signed
  }
}

/** What a signature of this target would cover; `undefined` for a target that is refused as it stands. */
function messageOf(target: string): string | undefined {
  try {
    return native.claim(target).signed
  } catch {
    return undefined
  }
}
