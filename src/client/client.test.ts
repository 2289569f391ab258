import { describe, expect, test } from 'vitest'
import { native } from '../dialects/index.ts'
import {
  checkPolicyOrder,
  createPolicyVerifier,
  createSourceCipher,
  createVerifier,
  signPolicy,
} from '../signing/index.ts'
import { createClient } from './client.ts'

const key = '0a'.repeat(32)
const baseUrl = 'https://img.example.com'
const now = () => 1_000_000
const client = createClient({ baseUrl })
const targetOf = (url: string) => url.slice(baseUrl.length)

describe('createClient()', () => {
  test.for([
    ['text', { source: 'photos/my cat.jpg', recipe: 'w=400,format=webp' }, '/i/w=400,format=webp/photos/my%20cat.jpg'],
    ['no recipe', { source: 'cat.jpg' }, '/i/_/cat.jpg'],
    ['steps, in their order', { source: 'cat.jpg', recipe: { steps: [{ op: 'blur', sigma: 2 }, { op: 'resize', width: 4 }], output: { format: 'avif' } } }, '/i/blur=2;w=4,format=avif/cat.jpg'],
    ['delivery', { source: 'cat.jpg', version: '3', filename: 'cat' }, '/i/_/cat.jpg?v=3&dl=cat'],
    ['a URL', { source: 'https://h/a?b=1' }, '/i/_/https:%2F%2Fh%2Fa%3Fb%3D1'],
    ['a DPR', { source: 'cat.jpg', recipe: 'w=4,dpr=auto', dpr: 2 }, '/i/w=4,dpr=2/cat.jpg'],
    ['hints', { source: 'cat.jpg', recipe: 'w=auto', dpr: 'auto' }, '/i/w=auto,dpr=auto/cat.jpg'],
  ] as const)('builds a URL from %s', async ([, options, expected]) => {
    expect(await client.url(options)).toBe(baseUrl + expected)
  }) // biome-ignore format: a table

  test.for([
    ['an unknown option', { source: 'a', recipe: 'widht=4' }, 'parameter-unknown'],
    [
      'a value that is not allowed',
      { source: 'a', recipe: { steps: [{ op: 'resize', width: -4 }] } },
      'parameter-invalid',
    ],
    ['an unknown operation', { source: 'a', recipe: { steps: [{ op: 'bulr' }] } }, 'parameter-unknown'],
    ['an unknown preset', { source: 'a', recipe: 'preset=crad' }, 'preset-unknown'],
    ['a forbidden source', { source: '../a' }, 'source-forbidden'],
    ['an expiry that nobody signs', { source: 'a', expires: 9 }, 'parameter-invalid'],
  ] as const)('refuses %s before the service does', async ([, options, code]) => {
    await expect(createClient({ baseUrl, presets: ['card'] }).url(options)).rejects.toMatchObject({ code })
  })

  test('signs where there is a key', async () => {
    const url = await createClient({ baseUrl: `${baseUrl}/`, key }).url({
      source: 'cat.jpg',
      recipe: 'w=4',
      version: '2',
      expires: 2_000_000,
    })
    expect(url).toContain('/i/w=4/cat.jpg?exp=2000000&v=2&s=')
    await createVerifier({ keys: [key], now })(native.claim(targetOf(url)))
  })

  test('makes a srcset of widths, each signed', async () => {
    const srcset = await createClient({ baseUrl, key }).srcset({
      source: 'cat.jpg',
      recipe: 'w=800,h=600,fit=cover;blur=2',
      widths: [400, 800],
    })
    const entries = srcset.split(', ').map((entry) => entry.split(' ') as [string, string])
    expect(entries.map(([, width]) => width)).toEqual(['400w', '800w'])
    expect(entries[0]?.[0]).toContain('/i/w=400,h=300,fit=cover;blur=2/cat.jpg?s=')
    for (const [url] of entries) await createVerifier({ keys: [key], now })(native.claim(targetOf(url)))
  })

  test('makes a srcset of densities', async () => {
    expect(await client.srcset({ source: 'cat.jpg', recipe: 'w=40', densities: [1, 2] })).toBe(
      `${baseUrl}/i/w=40/cat.jpg 1x, ${baseUrl}/i/w=40,dpr=2/cat.jpg 2x`,
    )
    await expect(client.srcset({ source: 'cat.jpg' })).rejects.toMatchObject({ code: 'parameter-invalid' })
  })

  test('puts every URL under one policy, without a key', async () => {
    const policy = await signPolicy({ prefix: 'photos', maxW: 800 }, { key })
    const url = await createClient({ baseUrl, policy }).url({
      source: 'photos/cat.jpg',
      recipe: 'w=400',
      version: '2',
    })
    const claim = native.claim(targetOf(url))
    const bounds = await createPolicyVerifier({ keys: [key], now })(claim.policy as string)
    expect(bounds).toEqual({ prefix: 'photos', maxW: 800 })
    expect(() => checkPolicyOrder(bounds, native.parse(claim).order)).not.toThrow()
    expect(await client.policyUrl({ source: 'photos/cat.jpg', recipe: 'w=400', version: '2', policy })).toBe(
      url,
    )
  })

  test('signs a policy, and no URL outside of it', async () => {
    const own = createClient({ baseUrl, key })
    expect(await own.policyUrl({ source: 'photos/a', policy: { prefix: 'photos' } })).toContain(
      '/i/_/photos/a?p=',
    )
    await expect(own.policyUrl({ source: 'a', policy: { prefix: 'photos' } })).rejects.toMatchObject({
      code: 'policy-exceeded',
    })
    await expect(client.policyUrl({ source: 'a', policy: { src: 'a' } })).rejects.toMatchObject({
      code: 'parameter-invalid',
    })
  })

  test('encrypts sources where there is a key for it', async () => {
    const sourceKey = '0b'.repeat(32)
    const url = await createClient({ baseUrl, sourceKey }).url({ source: 'photos/cat.jpg' })
    const { source = '' } = native.parse(native.claim(targetOf(url))).order
    expect(url).not.toContain('cat')
    expect(await createSourceCipher(sourceKey).decrypt(source.slice('e:'.length))).toBe('photos/cat.jpg')
  })
})
