import { OriginError, type Phase } from './origin-error.ts'

/**
 * The time that one fetch has: a total, a limit for the phase it is in, and the wish of whoever waits for it.
 *
 * All three end it through one signal whose reason is the error to throw.
 */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal
  readonly #total: NodeJS.Timeout
  #phase: NodeJS.Timeout | undefined

  constructor(outer: AbortSignal, totalMs: number) {
    this.#outer = outer
    this.#total = setTimeout(() => this.#controller.abort(OriginError.timedOut('total')), totalMs)
    if (outer.aborted) this.#leave()
    else outer.addEventListener('abort', this.#leave, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Starts a phase; the one before has ended. */
  phase(name: Phase, ms: number): void {
    clearTimeout(this.#phase)
    this.#phase = setTimeout(() => this.#controller.abort(OriginError.timedOut(name)), ms)
  }

  /** Nothing is waited for that has a limit of its own. */
  rest(): void {
    clearTimeout(this.#phase)
  }

  /** What `work` gives, or the reason why there is no time left for it. */
  race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    return new Promise<T>((resolve, reject) => {
      const leave = () => reject(signal.reason)
      if (signal.aborted) leave()
      signal.addEventListener('abort', leave, { once: true })
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    })
  }

  /** Ends all timers; the signal stays as it is. */
  close(): void {
    clearTimeout(this.#phase)
    clearTimeout(this.#total)
    this.#outer.removeEventListener('abort', this.#leave)
  }

  readonly #leave = (): void => this.#controller.abort(this.#outer.reason)
}
