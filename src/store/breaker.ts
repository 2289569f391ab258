/** Stops asking a disk or a host that keeps failing, and tries again now and then. */
export interface Breaker {
  /** Whether to try now. While paused, one try per pause is let through. */
  allows(): boolean
  succeeded(): void
  failed(): void
  readonly paused: boolean
}

export interface BreakerOptions {
  /** Failures in a row that pause. Default 3: under load that is well within a second. */
  readonly failures?: number
  /** Time between two tries, ms. Default 3000. */
  readonly pauseMs?: number
  /** Monotonic clock, ms: a jump of the wall clock must not prolong a pause. */
  readonly now?: () => number
  onChange(paused: boolean): void
}

export function createBreaker({
  failures = 3,
  pauseMs = 3000,
  now = () => performance.now(),
  onChange,
}: BreakerOptions): Breaker {
  let inRow = 0
  let paused = false
  let retryAt = 0
  const set = (next: boolean): void => {
    if (next === paused) return
    paused = next
    onChange(next)
  }
  return {
    allows() {
      if (!paused) return true
      if (now() < retryAt) return false
      // Whoever comes next waits for the outcome of this one try.
      retryAt = now() + pauseMs
      return true
    },
    succeeded() {
      inRow = 0
      set(false)
    },
    failed() {
      inRow += 1
      if (inRow < failures && !paused) return
      retryAt = now() + pauseMs
      set(true)
    },
    get paused() {
      return paused
    },
  }
}
