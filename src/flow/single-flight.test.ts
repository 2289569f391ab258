import { describe, expect, test } from 'vitest'
import { Shared } from './shared.ts'
import { SingleFlight } from './single-flight.ts'

class Value extends Shared {
  readonly name: string
  constructor(name: string, free: () => void) {
    super(free)
    this.name = name
  }
}

const never = () => new AbortController().signal

describe('SingleFlight', () => {
  test('[O-12] two hundred who ask at once get one result, given back when the last has released it', async () => {
    const flights = new SingleFlight<Value>()
    let started = 0
    let freed = 0
    const start = async () => {
      started += 1
      await new Promise((resolve) => setTimeout(resolve, 5))
      return new Value('one', () => {
        freed += 1
      })
    }
    const values = await Promise.all(Array.from({ length: 200 }, () => flights.run('key', never(), start)))
    expect([started, new Set(values).size, flights.size]).toEqual([1, 1, 0])
    for (const value of values.slice(1)) value.release()
    expect(freed).toBe(0)
    values[0]?.release()
    expect(freed).toBe(1)
  })

  test('[O-12] the first one leaves, the others get their result', async () => {
    const flights = new SingleFlight<Value>()
    const leader = new AbortController()
    let ended = false
    const start = (signal: AbortSignal) =>
      new Promise<Value>((resolve) => {
        signal.addEventListener('abort', () => {
          ended = true
        })
        setTimeout(() => resolve(new Value('one', () => {})), 10)
      })
    const first = flights.run('key', leader.signal, start)
    const second = flights.run('key', never(), start)
    leader.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    expect((await second).name).toBe('one')
    expect(ended).toBe(false)
  })

  test('ends the work when the last one has left, and gives back what comes all the same', async () => {
    const flights = new SingleFlight<Value>()
    const abort = new AbortController()
    let freed = false
    let ended = false
    const run = flights.run('key', abort.signal, async (signal) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      ended = signal.aborted
      return new Value('late', () => {
        freed = true
      })
    })
    abort.abort(new Error('left'))
    await expect(run).rejects.toThrow('left')
    const next = await flights.run('key', never(), async () => new Value('next', () => {}))
    expect(next.name).toBe('next')
    await expect.poll(() => [ended, freed]).toEqual([true, true])
  })

  test('[O-13] a failure is everybody’s, once', async () => {
    const flights = new SingleFlight<Value>()
    let started = 0
    const runs = Array.from({ length: 50 }, () =>
      flights.run('key', never(), async () => {
        started += 1
        throw new Error('broken')
      }),
    )
    const results = await Promise.allSettled(runs)
    expect(results.every(({ status }) => status === 'rejected')).toBe(true)
    expect(started).toBe(1)
  })
})
