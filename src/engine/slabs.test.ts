import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SLAB_BYTES, Slabs } from './slabs.ts'

const options = (maxBytes: number, signal = new AbortController().signal) => ({
  hash: 'streaming' as const,
  maxBytes,
  limitCode: 'upload-too-large' as const,
  client: 'a',
  signal,
})

describe('Slabs', () => {
  test('[I-01] refuses the first byte over the limit', async () => {
    const slabs = new Slabs({ capacityBytes: 10 * SLAB_BYTES, waitMs: 100, onChange() {} })
    const lease = slabs.open(options(10))
    await lease.write(new Uint8Array(10))
    await expect(lease.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'upload-too-large' })
    lease.release()
    expect(slabs.heldBytes).toBe(0)
  })

  test('keeps the bytes as they came', async () => {
    const slabs = new Slabs({ capacityBytes: 10 * SLAB_BYTES, waitMs: 100, onChange() {} })
    const lease = slabs.open(options(2_000_000))
    const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => i % 251)
    for (let at = 0; at < bytes.length; at += 65_000) await lease.write(bytes.subarray(at, at + 65_000))
    const body = lease.finish()
    expect(Buffer.concat(body.chunks).equals(bytes)).toBe(true)
    body.release()
    body.release()
    expect(slabs.heldBytes).toBe(0)
  })

  test('answers overloaded when no room comes in time', async () => {
    const slabs = new Slabs({ capacityBytes: SLAB_BYTES, waitMs: 20, onChange() {} })
    const first = slabs.open(options(SLAB_BYTES))
    await first.write(new Uint8Array(10))
    await expect(slabs.open(options(SLAB_BYTES)).write(new Uint8Array(10))).rejects.toMatchObject({
      code: 'overloaded',
    })
  })

  test('bodies that hold a part never wait for each other for good, and all memory comes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 * SLAB_BYTES }), { minLength: 1, maxLength: 12 }),
        async (sizes) => {
          let most = 0
          const slabs = new Slabs({
            capacityBytes: 6 * SLAB_BYTES,
            waitMs: 5000,
            onChange: (held) => {
              most = Math.max(most, held)
            },
          })
          await Promise.all(
            sizes.map(async (size) => {
              const lease = slabs.open(options(5 * SLAB_BYTES))
              for (let at = 0; at < size; at += SLAB_BYTES) {
                await lease.write(new Uint8Array(Math.min(SLAB_BYTES, size - at)))
                await new Promise((resolve) => setImmediate(resolve))
              }
              lease.finish().release()
            }),
          )
          expect(slabs.heldBytes).toBe(0)
          expect(most).toBeLessThanOrEqual(6 * SLAB_BYTES)
        },
      ),
      { numRuns: 50 },
    )
  })
})
