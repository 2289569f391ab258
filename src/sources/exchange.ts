import type { Client, Dispatcher } from 'undici'
import type { Deadline } from './deadline.ts'
import { OriginError } from './origin-error.ts'

/** Status and headers of an answer; a header that came more than once has its values joined by `, `. */
export interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** How often each header came. */
  readonly counts: Readonly<Record<string, number>>
}

/** One request on one connection. */
export interface Exchange {
  readonly head: Head
  /** The body has been read to its end, and the connection may serve another request. */
  readonly complete: boolean
  /** Next bytes; `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>
}

export interface ExchangeOptions {
  readonly client: Client
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly deadline: Deadline
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
}

/** The connection went away, for whatever reason. */
const LOST = new Set(['UND_ERR_SOCKET', 'UND_ERR_DESTROYED', 'ECONNRESET', 'EPIPE'])
const MAX_INTERIM = 10
const HIGH_WATER_BYTES = 256 * 1024

/**
 * Sends a GET and waits for the headers of its answer; the body waits until it is asked for.
 *
 * @throws {OriginError} `origin-failed`, `origin-timeout`; the deadline's reason.
 */
export async function exchange(options: ExchangeOptions): Promise<Exchange> {
  const { client, path, headers, deadline, firstByteTimeoutMs } = options
  const answer = new Answer(options)
  deadline.phase('first byte', firstByteTimeoutMs)
  client.dispatch({ path, method: 'GET', headers }, answer)
  await answer.started
  deadline.rest()
  return answer
}

/** Turns what the connection tells into an exchange. */
class Answer implements Exchange, Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #begun = Promise.withResolvers<void>()
  readonly #chunks: Buffer[] = []
  #head: Head | undefined
  #controller: Dispatcher.DispatchController | undefined
  #queuedBytes = 0
  #interim = 0
  #heard = false
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
    options.deadline.signal.addEventListener('abort', this.#abort, { once: true })
    if (options.deadline.signal.aborted) this.#abort()
  }

  get started(): Promise<void> {
    return this.#begun.promise
  }

  get head(): Head {
    return this.#head as Head
  }

  get complete(): boolean {
    return this.#ended && this.#chunks.length === 0
  }

  async next(): Promise<Uint8Array | undefined> {
    const { deadline, idleTimeoutMs } = this.#options
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#queuedBytes -= chunk.length
        return chunk
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended) return undefined
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      deadline.phase('idle', idleTimeoutMs)
      this.#controller?.resume()
      await woken.promise
      deadline.rest()
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#failure !== undefined) this.#fail(this.#failure)
  }

  onResponseStarted(): void {
    this.#heard = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) {
      this.#interim += 1
      if (this.#interim > MAX_INTERIM) this.#fail(OriginError.malformed('too many interim answers'))
      return
    }
    this.#head = readHead(status, controller.rawHeaders)
    controller.pause()
    this.#begun.resolve()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes >= HIGH_WATER_BYTES) controller.pause()
    this.#wake?.()
  }

  onResponseEnd(): void {
    this.#ended = true
    this.#options.deadline.signal.removeEventListener('abort', this.#abort)
    this.#wake?.()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(this.#failure ?? toOriginError(error, this.#heard, this.#head !== undefined))
  }

  readonly #abort = (): void => this.#fail(this.#options.deadline.signal.reason)

  #fail(reason: unknown): void {
    this.#settle(reason)
    this.#controller?.abort(reason instanceof Error ? reason : new Error('The fetch was given up'))
  }

  #settle(reason: unknown): void {
    this.#failure ??= reason
    this.#options.deadline.signal.removeEventListener('abort', this.#abort)
    this.#begun.promise.catch(() => {})
    this.#begun.reject(this.#failure)
    this.#wake?.()
  }
}

function readHead(status: number, raw: Dispatcher.DispatchController['rawHeaders']): Head {
  const list = Array.isArray(raw) ? raw.map((part) => part.toString()) : []
  const headers: Record<string, string> = Object.create(null)
  const counts: Record<string, number> = Object.create(null)
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = (list[at] as string).toLowerCase()
    const value = (list[at + 1] as string).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return { status, headers, counts }
}

/** @param heard Whether a byte of an answer has come: then the request is never sent again. */
function toOriginError(error: Error, heard: boolean, inBody: boolean): OriginError {
  const { code = '', message } = error as NodeJS.ErrnoException
  const internal = `${code} ${message}`
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return OriginError.failed('length', 'its body is shorter or longer than announced', {
      internal,
      strike: true,
    })
  const lost = LOST.has(code)
  if (lost && inBody) return OriginError.failed('length', 'its body broke off', { internal, strike: true })
  if (lost)
    return OriginError.failed('reset', 'the origin broke off', { internal, strike: true, retryable: !heard })
  return OriginError.malformed(internal)
}
