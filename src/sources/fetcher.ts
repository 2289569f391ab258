import type { Telemetry } from '../telemetry/index.ts'
import { classifyAddress, parseAddress, reachableWhenListed } from './address-guard.ts'
import { type Connection, Connections } from './connections.ts'
import { Deadline } from './deadline.ts'
import type { NotModified, OpenedSource, OpenSourceOptions } from './define.ts'
import { type Exchange, exchange } from './exchange.ts'
import { readFreshness } from './freshness.ts'
import { type Hosts, type HostVerdict, matchHost } from './host-list.ts'
import type { HttpSourceOptions } from './http-options.ts'
import { type HttpTarget, privateName } from './http-url.ts'
import { OriginError, reportOrigin } from './origin-error.ts'
import { parseOriginHeaders } from './origin-headers.ts'
import { OriginLimits, type Permit } from './origin-limits.ts'
import { type Connect, connectDirectly } from './pinned-connect.ts'
import { readBody } from './read-body.ts'
import { followRedirect } from './redirect.ts'
import { type Resolve, resolveListed, resolvePublic } from './resolve-name.ts'
import { conditionalHeaders, judgeHead, readValidators } from './response-head.ts'
import { RetryBudget } from './retry-budget.ts'

export interface FetcherOptions extends Omit<HttpSourceOptions, 'httpSources'> {
  readonly hosts: Hosts
  readonly telemetry: Telemetry
  /** Tests put the outside world here. */
  readonly resolve?: Resolve
  readonly connect?: Connect
  /** Certificates to trust instead of the built-in ones, PEM. */
  readonly ca?: string
  /** Time before the rate of a body counts. Default 3 s. */
  readonly minRateAfterMs?: number
}

const KEEP_ALIVE_MS = 4000

export interface FetchOptions extends Omit<OpenSourceOptions, 'via'> {
  /** `Via` to send. */
  readonly via: string
}

interface Hop {
  readonly target: HttpTarget
  readonly verdict: HostVerdict
  readonly headers: Readonly<Record<string, string>>
  /** An idle connection will do. */
  readonly reuse: boolean
  readonly deadline: Deadline
}

/** What a fetch says of its host; nothing, when it was given up for other reasons. */
type Verdict = 'well' | 'failed'

/** An answer whose body waits, with all that must be given back. */
interface Opened {
  readonly answer: Exchange
  readonly connection: Connection
  readonly permit: Permit
}

/** Follows a reference to its picture, hop by hop. */
export class Fetcher {
  readonly #options: FetcherOptions
  readonly #limits: OriginLimits
  readonly #retries = new RetryBudget()
  readonly #connections = new Connections({ keepAliveMs: KEEP_ALIVE_MS })
  readonly #opened = new Set<Opened>()
  readonly #credentials: ReturnType<typeof parseOriginHeaders>

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#credentials = parseOriginHeaders(options.originHeaders)
    this.#limits = new OriginLimits({
      connections: options.originConnections,
      ratePerSecond: options.originRate,
      breakerFailures: options.originBreakerFailures,
      breakerMs: options.originBreakerMs,
    })
  }

  close(): Promise<void> {
    return this.#connections.close()
  }

  async fetch(first: HttpTarget, options: FetchOptions): Promise<OpenedSource | NotModified> {
    const deadline = new Deadline(options.signal, this.#options.originTimeoutMs)
    try {
      return await this.#follow(first, options, deadline)
    } catch (error) {
      deadline.close()
      throw error
    }
  }

  async #follow(first: HttpTarget, options: FetchOptions, deadline: Deadline) {
    const { originMaxRedirects, originAllowDowngrade } = this.#options
    let target = first
    // Tokens and validators belong to the origin that was asked first; once away from it they never come back.
    let home = true
    for (let redirects = 0; ; redirects += 1) {
      const conditional = home ? conditionalHeaders(options.known) : {}
      const headers = {
        ...this.#headers(options.via),
        ...(home ? this.#secrets(target) : {}),
        ...conditional,
      }
      const opened = await this.#send({
        target,
        verdict: this.#checkHost(target),
        headers,
        reuse: redirects === 0,
        deadline,
      })
      try {
        const asked = Object.keys(conditional).length > 0
        const meaning = judgeHead(opened.answer.head, { conditional: asked, maxBytes: options.maxBytes })
        if (meaning.kind === 'body') return this.#source(opened, meaning.bytes, options, deadline)
        if (meaning.kind === 'not-modified') {
          while ((await opened.answer.next()) !== undefined);
          this.#finish(opened, 'well')
          deadline.close()
          return meaning.answer
        }
        if (redirects >= originMaxRedirects)
          throw OriginError.failed('redirects', `it was redirected more than ${originMaxRedirects} times`)
        const next = followRedirect(target, meaning.location, { allowDowngrade: originAllowDowngrade })
        home &&= next.origin === target.origin
        target = next
        // Its turn ends here: the next hop may need one of the same host.
        this.#finish(opened, 'well')
      } catch (error) {
        this.#finish(opened, verdictOf(error))
        throw error
      }
    }
  }

  /** Sends a request, and once more when the connection was lost before an answer. */
  async #send(hop: Hop): Promise<Opened> {
    this.#retries.earn()
    try {
      return await this.#sendOnce(hop, 0)
    } catch (error) {
      if (!(error instanceof OriginError && error.retryable && this.#retries.spend())) throw error
    }
    return this.#sendOnce({ ...hop, reuse: false }, 1)
  }

  async #sendOnce(hop: Hop, attempt: number): Promise<Opened> {
    const { originFirstByteTimeoutMs, originIdleTimeoutMs } = this.#options
    const { target, deadline, headers } = hop
    const permit = await this.#limits.acquire(`${target.name}:${target.port}`, deadline.signal)
    let connection: Connection | undefined
    try {
      connection =
        (hop.reuse ? await this.#connections.take(target.origin, deadline) : undefined) ??
        (await this.#connect(hop, attempt))
      const answer = await exchange({
        client: connection.client,
        path: target.path,
        headers,
        deadline,
        firstByteTimeoutMs: originFirstByteTimeoutMs,
        idleTimeoutMs: originIdleTimeoutMs,
      })
      const opened = { answer, connection, permit }
      this.#opened.add(opened)
      return opened
    } catch (error) {
      if (connection !== undefined) this.#connections.discard(connection)
      permit.release(verdictOf(error))
      throw error
    }
  }

  async #connect(hop: Hop, attempt: number): Promise<Connection> {
    const { target, deadline } = hop
    const addresses = await this.#resolve(hop)
    const { connect = connectDirectly, ca, originConnectTimeoutMs } = this.#options
    return this.#connections.open(target.origin, {
      // A retry tries the next address, if there is one.
      address: addresses[attempt % addresses.length] as string,
      port: target.port,
      name: target.name,
      secure: target.secure,
      connect,
      connectTimeoutMs: originConnectTimeoutMs,
      ca,
      deadline,
    })
  }

  /** @throws {OriginError} `source-forbidden` when the list has no place for this host. */
  #checkHost(target: HttpTarget): HostVerdict {
    const verdict = matchHost(this.#options.hosts, target)
    if (verdict === 'refused') {
      const reason = target.port === 80 || target.port === 443 ? 'host' : 'port'
      throw OriginError.denied(reason, `"${target.origin}" is not listed`)
    }
    // No lookup ever sees an address: it is judged here.
    if (target.literal) checkAddress(target.name, verdict)
    const why = target.literal || verdict === 'exact' ? undefined : privateName(target.name)
    if (why !== undefined) throw OriginError.denied('name', `"${target.name}": ${why}`)
    return verdict
  }

  /** All addresses of the host, each of them allowed: one bad answer refuses the name. */
  async #resolve({ target, verdict, deadline }: Hop): Promise<readonly string[]> {
    if (target.literal) return [target.name]
    const addresses = await this.#lookUp(target.name, verdict, deadline)
    for (const address of addresses) checkAddress(address, verdict)
    return addresses
  }

  async #lookUp(name: string, verdict: HostVerdict, deadline: Deadline): Promise<readonly string[]> {
    const { originDnsTimeoutMs, resolve = verdict === 'exact' ? resolveListed : resolvePublic } =
      this.#options
    deadline.phase('dns', originDnsTimeoutMs)
    try {
      const addresses = await deadline.race(resolve(name, deadline.signal))
      if (addresses.length === 0) throw OriginError.unreachable('dns', `"${name}" has no address`)
      return addresses
    } catch (error) {
      deadline.signal.throwIfAborted()
      if (error instanceof OriginError) throw error
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ETIMEOUT' || code === 'ETIMEDOUT') throw OriginError.timedOut('dns')
      throw OriginError.unreachable('dns', `"${name}": ${code ?? message}`)
    } finally {
      deadline.rest()
    }
  }

  #headers(via: string): Readonly<Record<string, string>> {
    return {
      'user-agent': this.#options.originUserAgent,
      // No format by name: an origin that negotiates would give a picture made smaller already.
      accept: 'image/*,*/*;q=0.1',
      'accept-encoding': 'identity',
      via,
    }
  }

  #secrets({ name, port }: HttpTarget): Readonly<Record<string, string>> {
    const host = name.includes(':') ? `[${name}]` : name
    return { ...this.#credentials.get(host), ...this.#credentials.get(`${host}:${port}`) }
  }

  #source(
    opened: Opened,
    bytes: number | undefined,
    options: FetchOptions,
    deadline: Deadline,
  ): OpenedSource {
    const { head } = opened.answer
    const validators = readValidators(head)
    const modifiedMs = Date.parse(validators.lastModified ?? '')
    const { originMinRate, minRateAfterMs = 3000, telemetry } = this.#options
    let reading = false
    const end = (verdict?: Verdict) => {
      this.#finish(opened, verdict)
      deadline.close()
    }
    // Whoever neither reads nor closes must not keep the turn of others.
    deadline.signal.addEventListener('abort', () => reading || end(), { once: true })
    const read = (signal: AbortSignal) => {
      reading = true
      return readBody(opened.answer, {
        signal,
        maxBytes: options.maxBytes,
        minRate: originMinRate,
        minRateAfterMs,
        end: (error) => {
          if (error !== undefined && error !== 'done') reportOrigin(telemetry, error)
          end(error === 'done' ? 'well' : verdictOf(error))
        },
      })
    }
    return {
      identity: undefined,
      bytes,
      modified: Number.isNaN(modifiedMs) ? undefined : new Date(modifiedMs),
      validators,
      freshness: readFreshness(head),
      read,
      close: async () => end(),
    }
  }

  /** Gives connection and turn back; only the first call counts. */
  #finish(opened: Opened, verdict?: Verdict): void {
    if (!this.#opened.delete(opened)) return
    const { answer, connection, permit } = opened
    if (answer.complete) this.#connections.give(connection)
    else this.#connections.discard(connection)
    permit.release(verdict)
  }
}

function verdictOf(error: unknown): Verdict | undefined {
  if (!(error instanceof OriginError)) return undefined
  if (error.strike) return 'failed'
  // Whoever says 404 is alive.
  return error.failure === 'not-found' || error.failure === 'status' ? 'well' : undefined
}

/** @throws {OriginError} `source-forbidden`. */
function checkAddress(address: string, verdict: HostVerdict): void {
  const bytes = parseAddress(address)
  const kind = bytes === undefined ? 'special' : classifyAddress(bytes)
  if (kind === 'public' || (verdict === 'exact' && reachableWhenListed(kind))) return
  throw OriginError.denied('address', `${address} is ${kind}`)
}
