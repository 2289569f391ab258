import type { Retained } from './single-flight.ts'

/** Counts the holders of something that is given back by `free`. */
export class Shared implements Retained {
  #holders = 1
  readonly #free: () => void

  constructor(free: () => void) {
    this.#free = free
  }

  retain(holders = 1): void {
    this.#holders += holders
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0) this.#free()
  }
}
