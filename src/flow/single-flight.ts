/** A result that several may hold: given back when the last holder releases it. Begins with one holder. */
export interface Retained {
  /** Counts `holders` more. */
  retain(holders: number): void
  /** Once for each holder. */
  release(): void
}

interface Waiter<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/**
 * Work that many ask for at the same time is done once. Whoever leaves hurts nobody: the work is ended when the last
 * one has left, and only then.
 */
export class SingleFlight<T extends Retained> {
  readonly #flights = new Map<string, Flight<T>>()

  /** How many keys are being worked on. */
  get size(): number {
    return this.#flights.size
  }

  /**
   * The result of the work on `key` that is under way, or of `start` when there is none.
   *
   * @param signal Of the one who asks; not of the work.
   * @param start Gets the signal of the work.
   * @returns The result, held for the one who asks: to be released once.
   * @throws What the work was rejected with; the signal's reason.
   */
  async run(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#begin(key, start)
    return flight.join(signal)
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const flight = new Flight<T>(start, () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    })
    this.#flights.set(key, flight)
    return flight
  }
}

class Flight<T extends Retained> {
  readonly #abort = new AbortController()
  readonly #waiters = new Set<Waiter<T>>()
  readonly #onEnd: () => void

  constructor(start: (signal: AbortSignal) => Promise<T>, onEnd: () => void) {
    this.#onEnd = onEnd
    // Begins when its first waiter has joined.
    Promise.resolve()
      .then(() => start(this.#abort.signal))
      .then(
        (value) => this.#land(value),
        (error: unknown) => {
          onEnd()
          for (const { reject } of this.#waiters) reject(error)
        },
      )
  }

  join(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => signal.removeEventListener('abort', leave)
      const waiter: Waiter<T> = {
        resolve: (value) => {
          settle()
          resolve(value)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      const leave = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
        if (this.#waiters.size > 0) return
        // A newcomer begins anew instead of joining what is being ended.
        this.#onEnd()
        this.#abort.abort(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiters.add(waiter)
    })
  }

  #land(value: T): void {
    this.#onEnd()
    value.retain(this.#waiters.size)
    value.release()
    for (const { resolve } of this.#waiters) resolve(value)
  }
}
