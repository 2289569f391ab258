import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  type AddressInfo,
  createServer as createNetServer,
  connect as netConnect,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { OpenedSource, Source } from '../../src/sources/define.ts'
import { publicHosts } from '../../src/sources/host-list.ts'
import { type CreateHttpSourceOptions, createHttpSource } from '../../src/sources/http.ts'
import { httpSourceOptions } from '../../src/sources/http-options.ts'
import type { Connect } from '../../src/sources/pinned-connect.ts'
import type { Labels, Telemetry } from '../../src/telemetry/index.ts'
import type { Identity } from './certificates.ts'

/** Addresses that stand for the Internet; nothing is ever sent to them. */
export const PUBLIC_V4 = '93.184.215.14'
export const PUBLIC_V6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c'

/** One pixel. */
export const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
)

export interface Listener {
  readonly port: number
  /** Connections so far. */
  readonly connections: number
  /** Sockets that are open now. */
  readonly open: number
  close(): Promise<void>
}

export interface RawOriginOptions {
  readonly tls?: Identity
  readonly host?: string
}

/**
 * An origin that answers with whatever bytes the handler writes, once for each request head.
 *
 * @param handler Gets the socket, the head, and how many came before on all connections.
 */
export async function startRawOrigin(
  handler: (socket: Socket, head: string, before: number) => void,
  { tls, host = '127.0.0.1' }: RawOriginOptions = {},
): Promise<Listener & { readonly heads: readonly string[] }> {
  const sockets = new Set<Socket>()
  const heads: string[] = []
  let connections = 0
  const accept = (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end)
        text = text.slice(end + 4)
        heads.push(head)
        handler(socket, head, heads.length - 1)
      }
    })
  }
  const server =
    tls === undefined ? createNetServer(accept) : createTlsServer({ cert: tls.cert, key: tls.key }, accept)
  server.on('tlsClientError', () => {})
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    get connections() {
      return connections
    },
    get open() {
      return sockets.size
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A listener that nobody may reach. */
export function startCanary(host = '127.0.0.1'): Promise<Listener> {
  return startRawOrigin((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nsecret'), { host })
}

/** What an origin for pictures was asked. */
export interface SeenRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
}

export interface ImageOrigin {
  readonly port: number
  readonly url: string
  readonly requests: readonly SeenRequest[]
  readonly connections: number
  /** What is served now; tests change it. */
  content: ImageContent
  close(): Promise<void>
}

export interface ImageContent {
  readonly bytes: Buffer
  readonly status?: number
  readonly etag?: string
  readonly lastModified?: string
  readonly cacheControl?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

/**
 * An origin that serves one picture on every path, with 304 for its own ETag.
 *
 * `/302?to=` and `/307?to=` redirect, `/300` has no Location, `/meta-refresh` and `/refresh-header` answer HTML, and
 * `/retry` breaks the first connection.
 */
export async function startImageOrigin(content: ImageContent = { bytes: PIXEL }): Promise<ImageOrigin> {
  const requests: SeenRequest[] = []
  let connections = 0
  let retried = false
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', headers: request.headers, rawHeaders: request.rawHeaders })
    const url = new URL(request.url ?? '/', 'http://origin')
    // Without `to` it leads back to itself.
    const to = url.searchParams.get('to') ?? url.pathname
    if (url.pathname === '/302' || url.pathname === '/307')
      return void response
        .writeHead(Number(url.pathname.slice(1)), { Location: Buffer.from(to).toString('latin1') })
        .end('moved')
    if (url.pathname === '/300') return void response.writeHead(300).end('choose')
    if (url.pathname === '/meta-refresh' || url.pathname === '/refresh-header')
      return void response
        .writeHead(200, {
          'Content-Type': 'text/html',
          ...(url.pathname === '/refresh-header' ? { Refresh: `0; url=${to}` } : {}),
        })
        .end('<meta http-equiv="refresh" content="0; url=http://127.0.0.1/">')
    if (url.pathname === '/retry' && !retried) {
      retried = true
      return void request.socket.destroy()
    }
    serve(origin.content, request, response)
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin: ImageOrigin = {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    content,
    get connections() {
      return connections
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return origin
}

function serve(content: ImageContent, request: IncomingMessage, response: ServerResponse): void {
  const { bytes, status = 200, etag, lastModified, cacheControl, headers = {} } = content
  response.setHeader('Content-Type', 'image/png')
  if (etag !== undefined) response.setHeader('ETag', etag)
  if (lastModified !== undefined) response.setHeader('Last-Modified', lastModified)
  if (cacheControl !== undefined) response.setHeader('Cache-Control', cacheControl)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (status === 200 && etag !== undefined && request.headers['if-none-match'] === etag) {
    response.writeHead(304).end()
    return
  }
  if (!response.hasHeader('Content-Length')) response.setHeader('Content-Length', bytes.length)
  response.writeHead(status).end(bytes)
}

export interface FakeInternet {
  readonly connect: Connect
  /** Every address that was dialled, in order. */
  readonly dialled: readonly string[]
}

/** A dial that leads public addresses to a local port and every other one to where it says. */
export function fakeInternet(portOf: number | ((address: string, port: number) => number)): FakeInternet {
  const dialled: string[] = []
  const connect: Connect = ({ address, port }) => {
    dialled.push(address)
    if (address === '127.0.0.1' || address === '::1') return netConnect({ host: address, port })
    const socket = netConnect({
      host: '127.0.0.1',
      port: typeof portOf === 'number' ? portOf : portOf(address, port),
    })
    // The local listener plays the public address, so that the check of the peer finds what it expects.
    Object.defineProperty(socket, 'remoteAddress', { value: address })
    return socket
  }
  return { connect, dialled }
}

/** Counters by name and label. */
export interface CountingTelemetry extends Telemetry {
  readonly counts: ReadonlyMap<string, number>
}

export function countingTelemetry(): CountingTelemetry {
  const counts = new Map<string, number>()
  return {
    counts,
    count(name: string, labels: Labels = {}, by = 1) {
      const key = [name, ...Object.values(labels)].join(' ')
      counts.set(key, (counts.get(key) ?? 0) + by)
    },
    gauge() {},
    observe() {},
    log() {},
  }
}

export type HttpSourceTestOptions = Partial<CreateHttpSourceOptions>

/** A source for tests: any public host, every name resolves to the public address, and short limits. */
export function testHttpSource(options: HttpSourceTestOptions = {}): Source {
  const { httpSources: _, ...defaults } = httpSourceOptions.parse({})
  return createHttpSource({
    ...defaults,
    hosts: publicHosts,
    telemetry: countingTelemetry(),
    resolve: async () => [PUBLIC_V4],
    ...options,
  })
}

export interface FetchedSource extends OpenedSource {
  readonly body: Buffer
}

/** Opens, reads and closes. */
export async function fetchAll(
  source: Source,
  ref: string,
  options: Partial<Parameters<Source['open']>[1]> = {},
): Promise<FetchedSource> {
  const signal = options.signal ?? new AbortController().signal
  const opened = await source.open(ref, { maxBytes: 1_000_000, ...options, signal })
  if ('notModified' in opened) throw new Error('Not modified')
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of opened.read(signal)) chunks.push(Buffer.from(chunk))
    return { ...opened, body: Buffer.concat(chunks) }
  } finally {
    await opened.close()
  }
}
