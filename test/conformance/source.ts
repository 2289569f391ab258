import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenedSource, OpenSourceOptions, Source } from '../../src/sources/index.ts'
import type { FaultProxy } from '../helpers/fault-proxy.ts'

/** One kind of source with a place behind it that tests may fill. */
export interface SourceUnderTest {
  readonly source: Source
  /** The reference of a key that `put` has filled. */
  ref(key: string): string
  put(key: string, bytes: Uint8Array): Promise<void>
  /** What is refused, and by which source. */
  readonly forbidden: { readonly source: Source; readonly ref: string }
  /** Remote sources only: the wire that all their bytes take. Idle time of the source: 500 ms or less. */
  readonly wire?: FaultProxy
  close(): Promise<void>
}

/** More than fits into the buffers of a socket, so that an unread body is still on its way. */
const LARGE_BYTES = 8 * 1024 * 1024
const MAX_BYTES = 16 * 1024 * 1024

/**
 * What every source does, whatever lies behind it.
 *
 * @param remote Whether its bytes come over a wire: conditional requests, broken bodies and sockets are tested too.
 * @param limitsItself Whether it keeps `maxBytes` itself; for a source at hand the reader may, by the announced size.
 */
export function describeSource(
  name: string,
  setup: () => Promise<SourceUnderTest>,
  { remote, limitsItself = true }: { readonly remote: boolean; readonly limitsItself?: boolean },
): void {
  describe(name, () => {
    let under: SourceUnderTest
    const small = bytesOf(70_001, 1)
    const other = bytesOf(70_001, 2)
    const large = bytesOf(LARGE_BYTES, 3)

    beforeAll(async () => {
      under = await setup()
      await under.put('small.bin', small)
      await under.put('folder/with space & ümlaut+.bin', other)
      await under.put('large.bin', large)
    })

    afterAll(async () => {
      await under?.source.close?.()
      await under?.forbidden.source.close?.()
      await under?.close()
    })

    const open = async (key: string, options: Partial<OpenSourceOptions> = {}): Promise<OpenedSource> => {
      const opened = await under.source.open(under.ref(key), {
        ...anyTime(),
        maxBytes: MAX_BYTES,
        ...options,
      })
      if ('notModified' in opened) throw new Error('not modified')
      return opened
    }

    test('streams exactly the bytes, and announces their number', async () => {
      expect(under.source.remote).toBe(remote)
      for (const [key, bytes] of [
        ['small.bin', small],
        ['folder/with space & ümlaut+.bin', other],
        ['large.bin', large],
      ] as const) {
        const opened = await open(key)
        expect(opened.bytes).toBe(bytes.byteLength)
        expect(opened.modified).toBeInstanceOf(Date)
        expect(hash(await readAll(opened))).toBe(hash(bytes))
        await opened.close()
      }
    })

    test('gives an identity to bytes at hand, and none to those of others', async () => {
      const opened = await open('small.bin')
      expect(opened.identity === undefined).toBe(remote)
      await opened.close()
    })

    test('claims its references and has one spelling for each', () => {
      const ref = under.ref('small.bin')
      expect(under.source.claims(ref)).toBe(true)
      const canonical = under.source.canonical(ref)
      expect(under.source.claims(canonical)).toBe(true)
      expect(under.source.canonical(canonical)).toBe(canonical)
    })

    test('does not find what is not there', async () => {
      await expect(open('none.bin')).rejects.toMatchObject({ code: 'source-not-found' })
    })

    test('refuses what is not allowed, and does not say why', async () => {
      const { source, ref } = under.forbidden
      const refused = source.open(ref, { ...anyTime(), maxBytes: MAX_BYTES })
      await expect(refused).rejects.toMatchObject({
        code: 'source-forbidden',
        message: 'Cannot read this source: it is not allowed',
      })
    })

    test('[S-16] refuses a path that climbs, and one with control characters', async () => {
      for (const key of ['../small.bin', 'a/../small.bin', 'small.bin\0', 'a/./small.bin'])
        await expect(open(key)).rejects.toMatchObject({ code: 'source-forbidden' })
    })

    test('passes on the reason of an abort before it begins', async () => {
      const reason = new Error('left')
      await expect(open('small.bin', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })

    test('passes on the reason of an abort in the middle of the body', async () => {
      const reason = new Error('left')
      const controller = new AbortController()
      const opened = await open('large.bin')
      const reading = async () => {
        for await (const _ of opened.read(controller.signal)) controller.abort(reason)
      }
      await expect(reading()).rejects.toBe(reason)
      await opened.close()
    })

    if (limitsItself)
      test('stops at the most bytes', async () => {
        const attempt = async () => {
          const opened = await open('large.bin', { maxBytes: 100_000 })
          try {
            await readAll(opened)
          } finally {
            await opened.close()
          }
        }
        await expect(attempt()).rejects.toMatchObject({ code: 'source-too-large' })
      })

    if (!remote) return

    test('spares a download when nothing has changed', async () => {
      await under.put('changing.bin', small)
      const opened = await open('changing.bin')
      await readAll(opened)
      await opened.close()
      const { validators } = opened
      expect(validators?.etag).toBeTypeOf('string')
      const ask = () =>
        under.source.open(under.ref('changing.bin'), {
          ...anyTime(),
          maxBytes: MAX_BYTES,
          known: validators!,
        })
      expect(await ask()).toMatchObject({ notModified: true, freshness: { storable: true } })
      await under.put('changing.bin', other)
      const changed = await ask()
      if ('notModified' in changed) throw new Error('not modified')
      expect(hash(await readAll(changed))).toBe(hash(other))
      expect(changed.validators?.etag).not.toBe(validators?.etag)
      await changed.close()
    })

    test('fails on a body that breaks off, and works again after it', async () => {
      under.wire?.cutAfter(300_000)
      const broken = await open('large.bin')
      await expect(readAll(broken)).rejects.toMatchObject({ code: 'origin-failed' })
      await broken.close()
      under.wire?.heal()
      const whole = await open('large.bin')
      expect(hash(await readAll(whole))).toBe(hash(large))
      await whole.close()
    })

    test('gives up on a body that falls silent', async () => {
      under.wire?.stallAfter(300_000)
      const opened = await open('large.bin')
      await expect(readAll(opened)).rejects.toMatchObject({ code: 'origin-timeout' })
      await opened.close()
      under.wire?.heal()
    })

    test('gives up on an origin that does not answer', async () => {
      under.wire?.stallAfter(0)
      await expect(open('small.bin')).rejects.toMatchObject({ code: 'origin-timeout' })
      under.wire?.heal()
    })

    test('lets go of the connection when a body is closed unread or half read', async () => {
      const before = under.wire?.open ?? 0
      const unread = await open('large.bin')
      const half = await open('large.bin')
      for await (const _ of half.read(anyTime().signal)) break
      expect(under.wire?.open).toBeGreaterThan(0)
      await unread.close()
      await half.close()
      await expect.poll(() => under.wire?.open).toBeLessThanOrEqual(before)
    })

    test('ends its idle connections with the source', async () => {
      const opened = await open('small.bin')
      await readAll(opened)
      await opened.close()
      await under.source.close?.()
      await expect.poll(() => under.wire?.open).toBe(0)
    })
  })
}

function anyTime(): { readonly signal: AbortSignal } {
  return { signal: new AbortController().signal }
}

async function readAll(opened: OpenedSource): Promise<Buffer> {
  const chunks: Buffer[] = []
  // A chunk is valid until the next one is asked for.
  for await (const chunk of opened.read(anyTime().signal)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** Bytes that look random and are the same each time. */
function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed * 2_654_435_761
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    bytes[at] = state >>> 16
  }
  return bytes
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
