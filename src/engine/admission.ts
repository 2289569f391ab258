import { SluiceError } from '../errors/index.ts'

/** An admitted job's share of the budget. */
export interface PlanLease {
  /**
   * Resolves when the job may run. Until then it may only bring its bytes to where they will be needed.
   *
   * @throws {SluiceError} `overloaded` when it would no longer be done in time.
   */
  readonly turn: Promise<void>
  /** `performance.now()` of its turn; `undefined` before. */
  readonly startedAt: number | undefined
  /** Keeps only what the result needs while it is sent. The worker's place is free at once. */
  shrink(bytes: number): void
  release(): void
}

interface Waiter {
  readonly bytes: number
  readonly cpuMs: number
  readonly client: string
  readonly since: number
  readonly latestStart: number
  readonly start: () => void
  readonly fail: (error: SluiceError) => void
}

export interface AdmissionOptions {
  /** Bytes that plans and results may use together. */
  readonly capacityBytes: number
  /** Jobs that may run at the same time. */
  readonly slots: number
  /** Jobs that may be admitted beyond those, to be ready the moment a slot is free. */
  readonly ahead: number
  readonly queueSize: number
  readonly queueTimeoutMs: number
  readonly onChange: () => void
}

export interface AdmitRequest {
  readonly bytes: number
  readonly cpuMs: number
  readonly client: string
  readonly signal: AbortSignal
  /** `performance.now()` at which the request must be over. */
  readonly deadlineAt: number
}

/** A plan that does not fit may be passed by smaller ones only for so long. */
const PATIENCE_MS = 1000

/** Weighted, bounded admission: a job starts when a worker and its memory are free; clients take turns. */
export class Admission {
  readonly #options: AdmissionOptions
  #waiters: Waiter[] = []
  #committed = 0
  /** Admitted and not finished in their worker: those that run and those that are ready to. */
  #admitted = 0
  readonly #ready: Turn[] = []
  #running = 0
  readonly #runningOf = new Map<string, number>()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  get committedBytes(): number {
    return this.#committed
  }

  get waiting(): number {
    return this.#waiters.length
  }

  get running(): number {
    return this.#running
  }

  /** Whether one more request would have to be refused. */
  get full(): boolean {
    return this.#waiters.length >= this.#options.queueSize && this.#running >= this.#options.slots
  }

  /** @throws {SluiceError} `overloaded`, `deadline-exceeded`; the signal's reason. */
  async admit(request: AdmitRequest): Promise<PlanLease> {
    request.signal.throwIfAborted()
    const now = performance.now()
    if (request.deadlineAt <= now)
      throw new SluiceError('deadline-exceeded', 'Cannot start the work: its time is over')
    if (this.#waiters.length === 0 && this.#fits(request.bytes)) return this.#lease(request)
    if (this.#waiters.length >= this.#options.queueSize) throw tooBusy('the queue is full')
    return new Promise((resolve, reject) => {
      const leave = (error: unknown) => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== own)
        settle()
        reject(error)
        this.#pump()
      }
      const onAbort = () => leave(request.signal.reason)
      const timer = setTimeout(
        () => leave(tooBusy('no worker became free in time')),
        Math.min(this.#options.queueTimeoutMs, request.deadlineAt - now),
      )
      const settle = () => {
        clearTimeout(timer)
        request.signal.removeEventListener('abort', onAbort)
        this.#options.onChange()
      }
      const own: Waiter = {
        bytes: request.bytes,
        cpuMs: request.cpuMs,
        client: request.client,
        since: now,
        latestStart: request.deadlineAt - request.cpuMs,
        start: () => {
          settle()
          resolve(this.#lease(request))
        },
        fail: leave,
      }
      request.signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(own)
      this.#options.onChange()
    })
  }

  #fits(bytes: number): boolean {
    const { slots, ahead, capacityBytes } = this.#options
    return this.#admitted < slots + ahead && this.#committed + bytes <= capacityBytes
  }

  #lease({ bytes, client, cpuMs, deadlineAt }: AdmitRequest): PlanLease {
    let held = bytes
    let inWorker = true
    this.#committed += bytes
    this.#admitted += 1
    this.#runningOf.set(client, (this.#runningOf.get(client) ?? 0) + 1)
    const turn = new Turn(deadlineAt - cpuMs)
    this.#ready.push(turn)
    this.#startReady(turn)
    this.#options.onChange()
    const change = (to: number) => {
      this.#committed += to - held
      held = to
      if (inWorker) {
        inWorker = false
        this.#admitted -= 1
        if (turn.startedAt !== undefined) this.#running -= 1
        else this.#ready.splice(this.#ready.indexOf(turn), 1)
        const left = (this.#runningOf.get(client) ?? 1) - 1
        if (left === 0) this.#runningOf.delete(client)
        else this.#runningOf.set(client, left)
      }
      this.#startReady()
      this.#options.onChange()
      this.#pump()
    }
    return {
      turn: turn.promise,
      get startedAt() {
        return turn.startedAt
      },
      shrink: (to) => change(Math.min(to, held)),
      release: () => {
        if (held > 0 || inWorker) change(0)
      },
    }
  }

  /** @param fresh The one that was admitted just now. */
  #startReady(fresh?: Turn): void {
    while (this.#running < this.#options.slots) {
      const next = this.#ready.shift()
      if (next === undefined) return
      this.#running += 1
      next.start(next !== fresh)
    }
  }

  #pump(): void {
    for (;;) {
      const now = performance.now()
      const late = this.#waiters.find(({ latestStart }) => latestStart < now)
      if (late !== undefined) {
        late.fail(tooBusy('it would not be done in time'))
        continue
      }
      const next = this.#next(now)
      if (next === undefined) return
      this.#waiters = this.#waiters.filter((waiter) => waiter !== next)
      next.start()
    }
  }

  /** The waiter to start: of the client with the fewest running jobs, the oldest that fits. */
  #next(now: number): Waiter | undefined {
    const [oldest] = this.#waiters
    if (oldest === undefined) return undefined
    if (!this.#fits(oldest.bytes) && now - oldest.since > PATIENCE_MS) return undefined
    let best: Waiter | undefined
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) continue
      if (best === undefined || this.#load(waiter) < this.#load(best)) best = waiter
    }
    return best
  }

  #load({ client }: Waiter): number {
    return this.#runningOf.get(client) ?? 0
  }
}

/** The moment at which an admitted job may run. */
class Turn {
  readonly promise: Promise<void>
  startedAt: number | undefined
  readonly #latestStart: number
  readonly #resolve: () => void
  readonly #reject: (error: SluiceError) => void

  constructor(latestStart: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Whoever holds the lease waits for it, unless it was given back before.
    promise.catch(() => undefined)
    this.promise = promise
    this.#latestStart = latestStart
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Late or not, it holds a slot until its lease is given back. One that never waited is tried in any case. */
  start(waited: boolean): void {
    this.startedAt = performance.now()
    if (waited && this.startedAt > this.#latestStart) this.#reject(tooBusy('it would not be done in time'))
    else this.#resolve()
  }
}

export function tooBusy(why: string): SluiceError {
  return new SluiceError('overloaded', `Cannot take more work now: ${why}`, { retryAfterSeconds: 2 })
}
