import { OriginError } from './origin-error.ts'

export interface OriginLimitsOptions {
  /** Fetches from one host at a time. */
  readonly connections: number
  readonly ratePerSecond: number
  /** Failures in a row after which a host is left alone. */
  readonly breakerFailures: number
  readonly breakerMs: number
  /** Longest wait for a turn. */
  readonly waitMs?: number
}

/** The turn of one fetch; it counts against the limits of its host until it is released. */
export interface Permit {
  /** What the fetch says of the host: `undefined` when it says nothing, such as a client that left. */
  release(verdict?: 'well' | 'failed'): void
}

interface Waiter {
  grant(): void
  refuse(error: OriginError): void
}

interface Host {
  active: number
  tokens: number
  countedAtMs: number
  failures: number
  /** 0: closed, that is, all is well. */
  openUntilMs: number
  trial: boolean
  readonly waiting: Set<Waiter>
  timer: NodeJS.Timeout | undefined
}

const MAX_WAITING = 100
const MAX_HOSTS = 1000

/**
 * What may be asked of each host: so many fetches at once, so many a second, and nothing for a while after it failed
 * again and again. One slow or dead host then costs its own users, nobody else.
 */
export class OriginLimits {
  readonly #options: Required<OriginLimitsOptions>
  readonly #hosts = new Map<string, Host>()

  constructor(options: OriginLimitsOptions) {
    this.#options = { waitMs: 2000, ...options }
  }

  /**
   * Waits for a turn, first come, first served.
   *
   * @throws {OriginError} `origin-busy`; the signal's reason.
   */
  async acquire(name: string, signal: AbortSignal): Promise<Permit> {
    signal.throwIfAborted()
    const host = this.#host(name)
    const trial = this.#passBreaker(host)
    if (!trial && (host.waiting.size > 0 || !this.#take(host))) await this.#wait(host, signal)
    else if (trial) host.active += 1
    let released = false
    return {
      release: (verdict) => {
        if (released) return
        released = true
        host.active -= 1
        if (trial) host.trial = false
        if (verdict === 'well') this.#close(host)
        if (verdict === 'failed') this.#fail(host)
        this.#pump(host)
      },
    }
  }

  /** @returns Whether this is the one fetch that finds out if the host has recovered. */
  #passBreaker(host: Host): boolean {
    if (host.openUntilMs === 0) return false
    const left = host.openUntilMs - performance.now()
    if (left > 0) throw OriginError.busy('the host failed again and again', left)
    if (host.trial) throw OriginError.busy('the host is being tried again', 1000)
    host.trial = true
    return true
  }

  #take(host: Host): boolean {
    const { connections, ratePerSecond } = this.#options
    const now = performance.now()
    const earned = ((now - host.countedAtMs) / 1000) * ratePerSecond
    host.tokens = Math.min(Math.max(1, ratePerSecond), host.tokens + earned)
    host.countedAtMs = now
    if (host.active >= connections || host.tokens < 1) return false
    host.tokens -= 1
    host.active += 1
    return true
  }

  #wait(host: Host, signal: AbortSignal): Promise<void> {
    const { waitMs } = this.#options
    if (host.waiting.size >= MAX_WAITING) throw OriginError.busy('too many wait for this host', 1000)
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        host.waiting.delete(waiter)
      }
      const waiter: Waiter = {
        grant: () => {
          end()
          resolve()
        },
        refuse: (error) => {
          end()
          reject(error)
        },
      }
      const leave = () => {
        end()
        reject(signal.reason)
      }
      const timer = setTimeout(() => waiter.refuse(OriginError.busy('waited too long', 1000)), waitMs)
      signal.addEventListener('abort', leave, { once: true })
      host.waiting.add(waiter)
      this.#pump(host)
    })
  }

  #pump(host: Host): void {
    for (const waiter of host.waiting) {
      if (!this.#take(host)) break
      waiter.grant()
    }
    clearTimeout(host.timer)
    // Without a free connection the next release pumps; without a token, time does.
    if (host.waiting.size === 0 || host.active >= this.#options.connections) return
    const untilTokenMs = ((1 - host.tokens) / this.#options.ratePerSecond) * 1000
    host.timer = setTimeout(() => this.#pump(host), Math.max(1, Math.ceil(untilTokenMs)))
  }

  #close(host: Host): void {
    host.failures = 0
    host.openUntilMs = 0
  }

  #fail(host: Host): void {
    const { breakerFailures, breakerMs } = this.#options
    host.failures += 1
    if (host.failures < breakerFailures) return
    host.openUntilMs = performance.now() + breakerMs
    for (const waiter of host.waiting)
      waiter.refuse(OriginError.busy('the host failed again and again', breakerMs))
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    if (this.#hosts.size >= MAX_HOSTS) this.#forget()
    const host: Host = {
      active: 0,
      tokens: Math.max(1, this.#options.ratePerSecond),
      countedAtMs: performance.now(),
      failures: 0,
      openUntilMs: 0,
      trial: false,
      waiting: new Set(),
      timer: undefined,
    }
    this.#hosts.set(name, host)
    return host
  }

  /** Names cost nothing to make up: those without work are dropped, their failures with them. */
  #forget(): void {
    for (const [name, { active, waiting }] of this.#hosts)
      if (active === 0 && waiting.size === 0) this.#hosts.delete(name)
  }
}
