import type { Telemetry } from '../telemetry/index.ts'
import { tooBusy } from './admission.ts'
import type { SandboxStatus } from './types.ts'
import { type KillReason, WorkerProcess } from './worker-process.ts'

export interface PoolOptions {
  readonly kind: 'worker' | 'probe'
  /** Processes that may work at the same time; one warm spare comes on top. */
  readonly size: number
  readonly command: readonly string[]
  readonly maxPayloadBytes: number
  readonly recycleAfterJobs: number
  /** Throws when a process is isolated less than the settings ask for: it gets no job. */
  readonly check: (sandbox: SandboxStatus) => void
  readonly telemetry: Telemetry
}

/** Deaths that come back: an input or the system causes them. Replacing after them may cost a pool about half a core, however many come. */
const RECURRING = new Set(['crash', 'exit', 'memory', 'cpu', 'deadline', 'protocol', 'stderr', 'sandbox'])
const LEAST_GAP_MS = 100
/** Spawns in a row that failed before the pool waits this long, doubling, before the next. */
const BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5000

/** Keeps worker processes alive: a death or a recycling is answered by a spare that is already warm. */
export class Pool {
  readonly #options: PoolOptions
  readonly #all = new Set<WorkerProcess>()
  #idle: WorkerProcess[] = []
  #waiters: { resolve: (worker: WorkerProcess) => void; reject: (error: unknown) => void }[] = []
  #failures = 0
  /** How long a start takes here, ms. */
  #startMs = 0
  /** When the replacements so far are paid for. */
  #paidAt = 0
  #closed = false
  #versions: Readonly<Record<string, string>> = {}
  #sandbox: SandboxStatus = { level: 'none' }

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Starts all processes; resolves when each is ready. The first has the machine to itself: it can work sooner. */
  async start(): Promise<void> {
    await this.#spawn().ready
    const others = Array.from({ length: this.#options.size }, () => this.#spawn())
    await Promise.all(others.map(({ ready }) => ready))
  }

  get versions(): Readonly<Record<string, string>> {
    return this.#versions
  }

  get sandbox(): SandboxStatus {
    return this.#sandbox
  }

  get idle(): number {
    return this.#idle.length
  }

  get alive(): number {
    return this.#all.size
  }

  /**
   * An idle process; waits for one to come up when all died at once.
   *
   * @throws {SluiceError} `overloaded` when none did by `deadlineAt`; the signal's reason.
   */
  async take(signal: AbortSignal, deadlineAt: number): Promise<WorkerProcess> {
    signal.throwIfAborted()
    const worker = this.#idle.pop()
    if (worker !== undefined) return worker
    const { promise, resolve, reject } = Promise.withResolvers<WorkerProcess>()
    const waiter = { resolve, reject }
    this.#waiters.push(waiter)
    const leave = (error: unknown) => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
      reject(error)
    }
    const onAbort = () => leave(signal.reason)
    const timer = setTimeout(
      () => leave(tooBusy('no worker came up in time')),
      Math.max(1, deadlineAt - performance.now()),
    )
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Gives a process back; a worn one is replaced. */
  give(worker: WorkerProcess): void {
    if (!this.#all.has(worker) || worker.ended) return
    if (worker.jobs >= this.#options.recycleAfterJobs) {
      this.end(worker, 'recycle')
      return
    }
    this.#offer(worker)
  }

  /** Ends a process and starts another in its place. */
  end(worker: WorkerProcess, reason: KillReason): void {
    worker.kill(reason)
    this.#idle = this.#idle.filter((other) => other !== worker)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiter of this.#waiters) waiter.reject(new Error('The pool is closed'))
    this.#waiters = []
    const exits = [...this.#all].map((worker) => {
      worker.kill('shutdown')
      return worker.exited
    })
    await Promise.all(exits)
  }

  #offer(worker: WorkerProcess): void {
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#idle.push(worker)
    else waiter.resolve(worker)
  }

  /** Wait after a process that never became ready, ms: it doubles. */
  #backOff(): number {
    this.#failures += 1
    return Math.min(MAX_BACK_OFF_MS, BACK_OFF_MS * 2 ** this.#failures)
  }

  /** Wait after the death of a process that worked, ms: none, until recurring deaths outrun what is paid for. */
  #toll(reason: string): number {
    if (!RECURRING.has(reason)) return 0
    const gap = Math.min(MAX_BACK_OFF_MS, Math.max(LEAST_GAP_MS, 2 * this.#startMs))
    const now = performance.now()
    const from = Math.max(this.#paidAt, now)
    this.#paidAt = from + gap
    return Math.max(0, from - now - this.#options.size * gap)
  }

  #spawn(): WorkerProcess {
    const { kind, command, maxPayloadBytes, telemetry } = this.#options
    const startedAt = performance.now()
    const worker = new WorkerProcess({ kind, command, maxPayloadBytes })
    this.#all.add(worker)
    worker.ready.then(
      (versions) => {
        this.#failures = 0
        this.#versions = versions
        this.#sandbox = worker.sandbox
        this.#startMs = performance.now() - startedAt
        telemetry.observe('sluice_worker_spawn_ms', this.#startMs, { kind })
        try {
          this.#options.check(worker.sandbox)
          this.#offer(worker)
        } catch (error) {
          telemetry.log('error', 'worker is not isolated as required', { kind, error: String(error) })
          this.end(worker, 'sandbox')
        }
      },
      () => undefined,
    )
    void worker.exited.then((exit) => {
      this.#all.delete(worker)
      this.#idle = this.#idle.filter((other) => other !== worker)
      if (this.#closed) return
      const reason =
        exit.killed ??
        (exit.signal === null
          ? 'exit'
          : exit.signal === 'SIGKILL' || exit.signal === 'SIGTERM'
            ? 'external'
            : 'crash')
      telemetry.count('sluice_worker_restarts_total', { reason })
      const wait = worker.started ? this.#toll(reason) : this.#backOff()
      if (!worker.started)
        telemetry.log('error', 'worker did not start', {
          kind,
          stderr: exit.stderr,
          signal: exit.signal,
          exitCode: exit.code,
        })
      setTimeout(() => {
        if (!this.#closed) this.#spawn()
      }, wait)
    })
    return worker
  }
}
