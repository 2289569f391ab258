/** How many retries there may be: one for so many requests, so that a broken network is not asked twice for all. */
export class RetryBudget {
  readonly #share: number
  readonly #max: number
  #saved: number

  /** @param share Retries per request, 0–1. */
  constructor(share = 0.1, max = 10) {
    this.#share = share
    this.#max = max
    this.#saved = 1
  }

  /** Counts a request. */
  earn(): void {
    this.#saved = Math.min(this.#max, this.#saved + this.#share)
  }

  /** Whether a retry may be made; it is then counted. */
  spend(): boolean {
    if (this.#saved < 1) return false
    this.#saved -= 1
    return true
  }
}
