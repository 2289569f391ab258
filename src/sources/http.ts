import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Source } from './define.ts'
import { Fetcher, type FetcherOptions } from './fetcher.ts'
import { isOff } from './host-list.ts'
import { parseHttpUrl } from './http-url.ts'
import { OriginError, reportOrigin } from './origin-error.ts'
import { nextVia } from './via.ts'

export interface CreateHttpSourceOptions extends FetcherOptions {
  /** Tells this instance from others in `Via`; 8 to 32 hexadecimal digits. Random by default. */
  readonly instanceId?: string
}

/** Refusals and dead ends take at least this long, so that their time tells nothing. */
const MIN_DENIAL_MS = 50

/**
 * Pictures behind `http://` and `https://`.
 *
 * Every hop is judged anew: the text of its URL, the list of hosts, all addresses of its name, and the peer of the
 * connection. Nothing of the client's request goes out.
 */
export function createHttpSource(options: CreateHttpSourceOptions): Source {
  const { hosts, telemetry, instanceId = randomBytes(8).toString('hex') } = options
  const fetcher = new Fetcher(options)
  return {
    kind: 'http',
    remote: true,
    claims: (ref) => /^[\0- ]*https?:/i.test(ref),
    // What is refused keeps its text: `open` refuses it after the usual delay, so nothing is ever kept under it.
    canonical: (ref) => canonicalOf(ref) ?? ref,
    async open(ref, { signal, via, ...asking }) {
      signal.throwIfAborted()
      const startedAtMs = performance.now()
      try {
        if (isOff(hosts)) throw OriginError.denied('off', 'no hosts are allowed')
        return await fetcher.fetch(parseHttpUrl(ref), { ...asking, signal, via: nextVia(via, instanceId) })
      } catch (error) {
        reportOrigin(telemetry, error)
        if (error instanceof OriginError && isQuiet(error))
          await notBefore(startedAtMs + MIN_DENIAL_MS, signal)
        throw error
      }
    },
    close: () => fetcher.close(),
  }
}

/** Waits until the clock shows `atMs`. @throws The signal's reason. */
async function notBefore(atMs: number, signal: AbortSignal): Promise<void> {
  // Timers may fire a little early.
  const leftMs = Math.ceil(atMs - performance.now()) + 1
  await delay(Math.max(0, leftMs), undefined, { signal }).catch(() => signal.throwIfAborted())
}

function canonicalOf(ref: string): string | undefined {
  try {
    return parseHttpUrl(ref).canonical
  } catch {
    return undefined
  }
}

function isQuiet({ denial, failure }: OriginError): boolean {
  return denial !== undefined || failure === 'dns' || failure === 'connect' || failure === 'tls'
}
