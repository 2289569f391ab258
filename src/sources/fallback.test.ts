import { describe, expect, test } from 'vitest'
import { SluiceError } from '../errors/index.ts'
import type { OpenedSource, Source, Validators } from './define.ts'
import { createFallbackSource } from './fallback.ts'

const CHAIN = { products: 's3://new/|s3://old/|https://origin.example.com/img/' }
const options = { signal: new AbortController().signal, maxBytes: 1000 }

type Answer = 'found' | ConstructorParameters<typeof SluiceError>[0]

/** Places that answer as they are told, and what they were asked. */
function createPlaces(answers: Readonly<Record<string, Answer>>, remote = true) {
  const asked: { ref: string; known: Validators | undefined }[] = []
  const source: Source = {
    kind: 'fake',
    remote,
    claims: () => true,
    canonical: (ref) => ref,
    async open(ref, { known }) {
      asked.push({ ref, known })
      const answer = Object.entries(answers).find(([base]) => ref.startsWith(base))?.[1] ?? 'source-not-found'
      if (answer !== 'found') throw new SluiceError(answer, 'Told to')
      if (known?.etag === `"${ref}"`)
        return { notModified: true, freshness: { maxAgeSeconds: undefined, storable: true } }
      return opened({ etag: `"${ref}"`, lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' })
    },
  }
  return { asked, resolve: (ref: string) => (ref.startsWith('gs:') ? undefined : source) }
}

function opened(validators: Validators): OpenedSource {
  return {
    identity: undefined,
    bytes: 0,
    modified: undefined,
    validators,
    freshness: { maxAgeSeconds: 60, storable: true },
    async *read() {},
    async close() {},
  }
}

describe('createFallbackSource()', () => {
  test.for([
    ['stops at the first that has it', { 's3://new/': 'found', 's3://old/': 'found' }, 1],
    ['moves on when it is not there', { 's3://old/': 'found' }, 2],
    ['asks the last one too', { 'https://origin.example.com/img/': 'found' }, 3],
  ] as const)('%s', async ([, answers, count]) => {
    const { asked, resolve } = createPlaces(answers)
    const result = await createFallbackSource(CHAIN, resolve).open('products:a/1 ü?.jpg', options)
    expect(result).not.toHaveProperty('notModified')
    expect(asked.map(({ ref }) => ref)).toEqual(
      [
        's3://new/a/1 ü?.jpg',
        's3://old/a/1 ü?.jpg',
        'https://origin.example.com/img/a/1%20%C3%BC%3F.jpg',
      ].slice(0, count),
    )
  })

  test('says that nobody has it', async () => {
    const { asked, resolve } = createPlaces({})
    const open = createFallbackSource(CHAIN, resolve).open('products:1.jpg', options)
    await expect(open).rejects.toMatchObject({ code: 'source-not-found' })
    expect(asked).toHaveLength(3)
  })

  test.for([
    'source-forbidden',
    'origin-failed',
    'origin-timeout',
    'origin-busy',
    'source-too-large',
  ] as const)('does not pass over a place that answers %s', async (code) => {
    const { asked, resolve } = createPlaces({ 's3://new/': code, 's3://old/': 'found' })
    const open = createFallbackSource(CHAIN, resolve).open('products:1.jpg', options)
    await expect(open).rejects.toMatchObject({ code })
    expect(asked).toHaveLength(1)
  })

  test('asks a place with its own validators only', async () => {
    const answers: Record<string, Answer> = { 's3://old/': 'found' }
    const { asked, resolve } = createPlaces(answers)
    const source = createFallbackSource(CHAIN, resolve)
    const first = (await source.open('products:1.jpg', options)) as OpenedSource
    const known = first.validators as Validators
    expect(await source.open('products:1.jpg', { ...options, known })).toMatchObject({ notModified: true })
    expect(asked.slice(2)).toEqual([
      { ref: 's3://new/1.jpg', known: undefined },
      {
        ref: 's3://old/1.jpg',
        known: { etag: '"s3://old/1.jpg"', lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' },
      },
    ])
    // It has arrived in the first place since: an old date must not hide it.
    answers['s3://new/'] = 'found'
    expect(await source.open('products:1.jpg', { ...options, known })).toHaveProperty('validators')
  })

  test('does not keep files at hand a second time', async () => {
    const { resolve } = createPlaces({ 'archive:': 'found' }, false)
    const result = await createFallbackSource({ all: 'archive:' }, resolve).open('all:1.jpg', options)
    expect(result).toMatchObject({ freshness: { maxAgeSeconds: 0, storable: false } })
  })

  test.for(['products:../x', 'products:a/../../x', 'products:%2e%2e/x', 'products:a\\..\\x', 'products:a\0'])(
    '[S-16] refuses %j before anyone is asked',
    async (ref) => {
      const { asked, resolve } = createPlaces({ 's3://new/': 'found' })
      const source = createFallbackSource(CHAIN, resolve)
      await expect(source.open(ref, options)).rejects.toMatchObject({ code: 'source-forbidden' })
      expect(() => source.canonical(ref)).toThrow(expect.objectContaining({ code: 'source-forbidden' }))
      expect(asked).toEqual([])
    },
  )

  test('refuses a place that this service may not read', async () => {
    const source = createFallbackSource({ products: 'gs://other/' }, createPlaces({}).resolve)
    await expect(source.open('products:1.jpg', options)).rejects.toMatchObject({ code: 'source-forbidden' })
  })

  test('claims its names and nothing else', () => {
    const source = createFallbackSource(CHAIN, createPlaces({}).resolve)
    expect(source.claims('products:1.jpg')).toBe(true)
    expect(source.canonical('products:1.jpg')).toBe('products:1.jpg')
    for (const ref of ['products', 'product:1.jpg', 'products/1.jpg', 's3://new/1.jpg'])
      expect(source.claims(ref)).toBe(false)
  })

  test('passes on the reason of an abort', async () => {
    const reason = new Error('left')
    const source = createFallbackSource(CHAIN, createPlaces({}).resolve)
    const open = source.open('products:1.jpg', { ...options, signal: AbortSignal.abort(reason) })
    await expect(open).rejects.toBe(reason)
  })

  test.for([
    ['a reserved name', { s3: 's3://a/' }],
    ['an empty member', { a: 's3://a/|' }],
    ['a place without an end', { a: 's3://bucket/folder' }],
    ['credentials in a URL', { a: 'https://me:secret@example.com/' }],
    ['a query', { a: 'https://example.com/?p=' }],
    ['another scheme', { a: 'ftp://example.com/' }],
    ['a chain in a chain', { a: 's3://a/', b: 'a:' }],
  ] as const)('refuses %s at the start', ([, chains]) => {
    expect(() => createFallbackSource(chains as Record<string, string>, () => undefined)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.not.stringContaining('secret') }),
    )
  })
})
