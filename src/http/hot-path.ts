import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isFresh } from '../delivery/index.ts'
import type { Variant } from '../service/index.ts'
import type { Telemetry } from '../telemetry/index.ts'

/**
 * How long an answer may be given again without asking what it is: its file may have changed, its source become stale.
 * Only pictures that are asked for many times within this time gain anything by it.
 */
const TRUST_MS = 250
/** A picture is hot when it was asked for so often, each time within `TRUST_MS` of the last. */
const HOT_HITS = 16
const MAX_ENTRIES = 1000
const MAX_BYTES = 32 * 1024 * 1024
/** What nobody has asked for so long is let go. */
const IDLE_MS = 1000
const MAX_KEY_LENGTH = 4096
const SLOW_READER_MS = 30_000
const COUNT_MS = 100
/** Headers that belong to one request. */
const OWN_HEADERS = new Set(['x-request-id', 'connection', 'date', 'keep-alive', 'transfer-encoding'])
/** Headers with which a request is none for here. */
const OTHER_WAYS = [
  'range',
  'origin',
  'authorization',
  'via',
  'if-modified-since',
  'sec-ch-dpr',
  'sec-ch-width',
] as const

interface Hot {
  /** Held only once it is hot: a picture that the store has dropped must not live on here. */
  readonly bytes: Uint8Array | undefined
  /** Names and values; the first pair is the id of the request. */
  readonly headers: string[]
  readonly etag: string
  readonly safeUrl: string
  readonly facts: Readonly<Record<string, unknown>>
  /** Whether its URL bears a valid signature; who asks is looked at otherwise. */
  readonly signed: boolean
  /** Unix ms. */
  readonly expiresAtMs: number
  checkedAt: number
  askedAt: number
  hits: number
}

export interface HotPathOptions {
  readonly telemetry: Telemetry
  /** Whether one with these headers may ask without a signature. */
  readonly admitsUnsigned: (headers: IncomingMessage['headers']) => boolean
  readonly draining: () => boolean
}

/** What the ordinary way found out about an answer. */
export interface Seen {
  readonly variant: Variant
  readonly headers: Readonly<Record<string, unknown>>
  readonly signed: boolean
  /** Unix seconds. */
  readonly expiresAt: number | undefined
  /** Only asked for when the answer is remembered. */
  readonly safeUrl: () => string
}

/**
 * Answers again what was answered a moment ago: the same URL, the same wishes, the bytes still in memory. Parsing, looking up
 * and the framework cost ten times as much as sending; under a crowd this is the difference.
 */
export class HotPath {
  readonly #options: HotPathOptions
  readonly #entries = new Map<string, Hot>()

  #bytes = 0
  #sweep: NodeJS.Timeout | undefined
  #sent = 0
  #fresh = 0
  #flush: NodeJS.Timeout | undefined

  constructor(options: HotPathOptions) {
    this.#options = options
  }

  /** What the ordinary way has just sent, whole, out of memory. */
  see(request: IncomingMessage, { variant, headers, signed, expiresAt, safeUrl }: Seen): void {
    const key = keyOf(request)
    const { hints, fallback, storable, tier, meta } = variant
    if (key === undefined || tier !== 'memory' || fallback || !storable || hints.dpr || hints.width) return
    const now = performance.now()
    const before = this.#entries.get(key)
    const crowd = before !== undefined && now - before.askedAt < TRUST_MS
    const hits = crowd ? before.hits + 1 : 1
    this.#drop(key)
    const held = hits >= HOT_HITS && this.#bytes + variant.bytes.length <= MAX_BYTES
    if (held) this.#bytes += variant.bytes.length
    this.#sweep ??= setInterval(() => this.#letGo(), IDLE_MS).unref()
    this.#entries.set(key, {
      bytes: held ? variant.bytes : undefined,
      headers: [
        'x-request-id',
        '',
        ...Object.entries(headers).flatMap(([name, value]) =>
          OWN_HEADERS.has(name) || value === undefined ? [] : [name, String(value)],
        ),
      ],
      etag: meta.etag,
      safeUrl: safeUrl(),
      facts: { outputFormat: meta.format, bytesOut: variant.bytes.length, tier },
      signed,
      expiresAtMs: expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt * 1000,
      checkedAt: now,
      askedAt: now,
      hits,
    })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#drop(oldest)
  }

  /** Nothing that is remembered here outlives a purge. */
  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes?.length ?? 0
    this.#entries.delete(key)
  }

  #letGo(): void {
    const since = performance.now() - IDLE_MS
    for (const [key, { askedAt }] of this.#entries) if (askedAt < since) this.#drop(key)
    if (this.#entries.size === 0) this.clear()
  }

  /** Answers if it can; else the request takes the ordinary way. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const key = keyOf(request)
    const hot = key === undefined ? undefined : this.#entries.get(key)
    if (hot === undefined || key === undefined) return false
    const now = performance.now()
    const { bytes } = hot
    if (bytes === undefined || now - hot.checkedAt > TRUST_MS) return false
    if (this.#options.draining() || Date.now() > hot.expiresAtMs) return false
    if (!hot.signed && !this.#options.admitsUnsigned(request.headers)) return false
    hot.askedAt = now
    hot.hits += 1
    const ifNoneMatch = request.headers['if-none-match']
    const fresh = ifNoneMatch !== undefined && isFresh({ ifNoneMatch }, { etag: hot.etag })
    const id = randomUUID()
    this.#send(response, hot, fresh ? undefined : bytes, id)
    this.#report(hot, id, fresh ? 304 : 200, now)
    return true
  }

  #send(response: ServerResponse, { headers }: Hot, bytes: Uint8Array | undefined, id: string): void {
    headers[1] = id
    if (bytes !== undefined) {
      response.writeHead(200, headers)
      response.end(bytes)
      this.#guard(response)
      return
    }
    response.writeHead(304, withoutBody(headers))
    response.end()
  }

  /** A reader that stops is cut off, as everywhere. */
  #guard(response: ServerResponse): void {
    const { socket } = response
    if (socket === null || socket.writableLength === 0) return
    let left = socket.writableLength
    const timer = setInterval(() => {
      if (socket.writableLength >= left) socket.destroy()
      left = socket.writableLength
    }, SLOW_READER_MS)
    response.once('close', () => clearInterval(timer))
  }

  #count(): void {
    const { telemetry } = this.#options
    telemetry.count('sluice_store_hits_total', { tier: 'memory' }, this.#sent + this.#fresh)
    telemetry.count('sluice_requests_total', { route: 'render', status: '200' }, this.#sent)
    telemetry.count('sluice_requests_total', { route: 'render', status: '304' }, this.#fresh)
    this.#sent = 0
    this.#fresh = 0
    this.#flush = undefined
  }

  /** A line for each; counters, which cost a quarter of the whole, a few times a second. Durations are those of the ordinary way. */
  #report(hot: Hot, id: string, status: number, startedAt: number): void {
    const { telemetry } = this.#options
    const totalMs = Math.round((performance.now() - startedAt) * 10) / 10
    if (status === 200) this.#sent += 1
    else this.#fresh += 1
    this.#flush ??= setTimeout(() => this.#count(), COUNT_MS).unref()
    telemetry.log('info', 'request', {
      id,
      method: 'GET',
      url: hot.safeUrl,
      status,
      code: 'ok',
      route: 'render',
      ...hot.facts,
      totalMs,
    })
  }
}

/** Everything of a request that an answer may depend on; `undefined` when it is none for here. */
function keyOf({ method, url, headers }: IncomingMessage): string | undefined {
  if (method !== 'GET' || url === undefined || !url.startsWith('/i/')) return undefined
  for (const name of OTHER_WAYS) if (headers[name] !== undefined) return undefined
  const key = `${url}\n${headers.accept ?? ''}\n${String(headers['save-data'] ?? '')}`
  return key.length > MAX_KEY_LENGTH ? undefined : key
}

function withoutBody(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name !== 'content-length' && name !== 'content-type' && name !== 'content-disposition')
      kept.push(name, headers[i + 1] as string)
  }
  return kept
}
