import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Admission } from './admission.ts'

const request = (bytes: number, more: object = {}) => ({
  bytes,
  cpuMs: 1,
  client: 'a',
  signal: new AbortController().signal,
  deadlineAt: performance.now() + 5000,
  ...more,
})
const create = (more: object = {}) =>
  new Admission({
    capacityBytes: 100,
    slots: 2,
    ahead: 0,
    queueSize: 4,
    queueTimeoutMs: 50,
    onChange() {},
    ...more,
  })

describe('Admission', () => {
  test('[O-01] refuses at once when the queue is full', async () => {
    const admission = create({ slots: 1, queueSize: 1, queueTimeoutMs: 5000 })
    await admission.admit(request(10))
    const waiting = admission.admit(request(10))
    await expect(admission.admit(request(10))).rejects.toMatchObject({ code: 'overloaded' })
    expect(admission.full).toBe(true)
    void waiting
  })

  test('[O-02] never starts a job whose time is over', async () => {
    await expect(create().admit(request(10, { deadlineAt: performance.now() - 1 }))).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
  })

  test('[O-03] a client that leaves frees its place', async () => {
    const admission = create({ slots: 1 })
    await admission.admit(request(10))
    const abort = new AbortController()
    const waiting = admission.admit(request(10, { signal: abort.signal }))
    expect(admission.waiting).toBe(1)
    abort.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    expect(admission.waiting).toBe(0)
  })

  test('[O-04] the client with the fewest running jobs is next', async () => {
    const admission = create({ queueTimeoutMs: 1000 })
    const first = await admission.admit(request(10))
    await admission.admit(request(10))
    const order: string[] = []
    void admission.admit(request(10)).then(() => order.push('a'))
    const other = admission.admit(request(10, { client: 'b' })).then(() => order.push('b'))
    first.release()
    await other
    expect(order[0]).toBe('b')
  })

  test('[O-05] what is committed never passes the budget and comes back to zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 }),
        async (sizes) => {
          const admission = create({ slots: 4, queueSize: 100, queueTimeoutMs: 5000 })
          await Promise.all(
            sizes.map(async (bytes) => {
              const lease = await admission.admit(request(bytes))
              expect(admission.committedBytes).toBeLessThanOrEqual(100)
              await new Promise((resolve) => setImmediate(resolve))
              lease.shrink(Math.floor(bytes / 3))
              await new Promise((resolve) => setImmediate(resolve))
              lease.release()
              lease.release()
            }),
          )
          expect(admission.committedBytes).toBe(0)
          expect(admission.running).toBe(0)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('admits one job ahead of its turn, which comes when a slot is free', async () => {
    const admission = create({ slots: 1, ahead: 1 })
    const first = await admission.admit(request(10))
    const second = await admission.admit(request(10))
    expect([admission.running, admission.waiting, second.startedAt]).toEqual([1, 0, undefined])
    first.shrink(1)
    await second.turn
    expect(second.startedAt).toBeGreaterThan(0)
    second.release()
    first.release()
    expect([admission.running, admission.committedBytes]).toEqual([0, 0])
  })

  test('[O-02] a job that was ahead and comes too late is refused at its turn', async () => {
    const admission = create({ slots: 1, ahead: 1 })
    const first = await admission.admit(request(10))
    const second = await admission.admit(request(10, { deadlineAt: performance.now() + 20, cpuMs: 15 }))
    await new Promise((resolve) => setTimeout(resolve, 30))
    first.release()
    await expect(second.turn).rejects.toMatchObject({ code: 'overloaded' })
    second.release()
    expect([admission.running, admission.committedBytes]).toEqual([0, 0])
  })

  test('a job that leaves before its turn gives everything back', async () => {
    const admission = create({ slots: 1, ahead: 1 })
    const first = await admission.admit(request(10))
    const second = await admission.admit(request(10))
    second.release()
    const third = await admission.admit(request(10))
    first.release()
    await third.turn
    third.release()
    expect([admission.running, admission.committedBytes]).toEqual([0, 0])
  })
})
