import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Action, native } from '../dialects/index.ts'
import type { Engine } from '../engine/index.ts'
import { LIMIT_NAMES, SluiceError } from '../errors/index.ts'
import {
  type Asked,
  describeProbe,
  type Facts,
  type RequestContext,
  type Service,
  type Variant,
} from '../service/index.ts'
import type { Metrics, Telemetry } from '../telemetry/index.ts'
import { connectionCap } from './connection-cap.ts'
import { openApi } from './openapi.ts'
import type { HttpOptions } from './options.ts'
import { renderPage } from './page.ts'
import { sendProblem } from './problem.ts'
import { receiveUpload } from './upload.ts'

declare module 'fastify' {
  interface FastifyRequest {
    outcome: { error?: SluiceError; facts: Facts; route: string; startedAt: number }
  }
}

export interface ServerDependencies {
  readonly engine: Engine
  readonly service: Service
  readonly policy: (asked: Asked) => Promise<void>
  readonly options: HttpOptions
  readonly maxUploadBytes: number
  readonly root: string
  readonly version: string
  readonly publicUrl?: string
  readonly metrics: Metrics
  readonly telemetry: Telemetry
  /** Whether a shutdown has begun. */
  readonly draining: () => boolean
}

const SLOW_READER_MS = 30_000
const READY_CACHE_MS = 5000
const IMAGE_POLICY = "default-src 'none'; sandbox"
const PAGE_POLICY =
  "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** The public listener: every route of the HTTP contract. */
export function createServer(dependencies: ServerDependencies): FastifyInstance {
  const app = base(dependencies)
  const { service, policy, options } = dependencies

  app.get('/', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('Content-Security-Policy', PAGE_POLICY)
      .header('X-Content-Type-Options', 'nosniff')
      .send(renderPage(dependencies.root)),
  )
  app.get('/favicon.ico', (_request, reply) => reply.code(204).send())
  app.get('/openapi.json', (_request, reply) =>
    reply.send(openApi(dependencies.version, dependencies.publicUrl)),
  )
  health(app, dependencies)

  const parse = async (request: FastifyRequest, wanted: Action) => {
    const claim = native.claim(request.raw.url ?? '/')
    await policy({ claim, upload: request.method === 'POST', headers: request.headers })
    const { action, order } = native.parse(claim)
    if (action !== wanted) throw new SluiceError('route-not-found', 'There is no such route')
    return order
  }

  app.get('/i/*', async (request, reply) => {
    request.outcome.route = 'render'
    const order = await parse(request, 'render')
    const variant = await service.render(order, contextOf(request, reply))
    const etag = `"${createHash('sha256')
      .update(variant.chunks[0] ?? '')
      .digest('base64url')
      .slice(0, 32)}"`
    reply.header('Cache-Control', `public, max-age=${options.maxAgeSeconds}`).header('ETag', etag)
    if (order.recipe.output.format === 'auto') reply.header('Vary', 'Accept')
    if (variant.modified !== undefined) reply.header('Last-Modified', variant.modified.toUTCString())
    return sendVariant(request, reply, variant, order.delivery.filename)
  })

  app.get('/info/*', async (request, reply) => {
    request.outcome.route = 'info'
    const order = await parse(request, 'info')
    return noStore(reply).send(describeProbe(await service.describe(order, contextOf(request, reply))))
  })

  app.get('/explain/*', async (request, reply) => {
    request.outcome.route = 'explain'
    const order = await parse(request, 'explain')
    const { probe, plan, recipe } = await service.explain(order, contextOf(request, reply))
    return noStore(reply).send({ source: describeProbe(probe), recipe, plan: explainPlan(plan) })
  })

  const upload = async (request: FastifyRequest, reply: FastifyReply) => {
    request.outcome.route = 'upload'
    cors(request, reply, options)
    const order = await parse(request, 'upload')
    const variant = await withBody(request, reply, dependencies, (body, context) =>
      service.renderBody(order, body, context),
    )
    return sendVariant(request, noStore(reply), variant, order.delivery.filename)
  }
  app.post('/upload', upload)
  app.post('/upload/*', upload)
  app.post('/info', async (request, reply) => {
    request.outcome.route = 'info'
    cors(request, reply, options)
    await parse(request, 'info')
    const probe = await withBody(request, reply, dependencies, (body, context) =>
      service.describeBody(body, context),
    )
    return noStore(reply).send(describeProbe(probe))
  })
  for (const url of ['/upload', '/upload/*', '/info']) {
    app.options(url, (request, reply) => {
      cors(request, reply, options)
      return reply.code(204).header('Allow', 'POST, OPTIONS').send()
    })
  }
  // The right path with the wrong method says which one is right.
  const refuse = (allow: string) => (request: FastifyRequest, reply: FastifyReply) => {
    return sendProblem(
      request,
      reply.header('Allow', allow),
      new SluiceError('method-not-allowed', `Cannot use ${request.method} here: allowed is ${allow}`),
    )
  }
  for (const url of ['/upload', '/upload/*'])
    app.route({ method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'], url, handler: refuse('POST') })
  app.route({ method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'], url: '/info', handler: refuse('POST') })
  for (const url of ['/i/*', '/info/*', '/explain/*', '/healthz', '/readyz', '/openapi.json', '/']) {
    app.route({ method: ['POST', 'PUT', 'PATCH', 'DELETE'], url, handler: refuse('GET, HEAD') })
  }
  return app
}

/** The admin listener: metrics and health, loopback by default. */
export function createAdminServer(dependencies: ServerDependencies): FastifyInstance {
  const app = base(dependencies)
  app.get('/metrics', async (request, reply) => {
    request.outcome.route = 'metrics'
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(await dependencies.metrics.page())
  })
  health(app, dependencies)
  return app
}

function base({ telemetry, metrics, draining }: ServerDependencies): FastifyInstance {
  const app = fastify({
    logger: false,
    genReqId: () => randomUUID(),
    bodyLimit: Number.MAX_SAFE_INTEGER,
    requestTimeout: 0,
    keepAliveTimeout: 30_000,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 8192 },
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000, maxHeaderSize: 16_384 },
    frameworkErrors: (error, request, reply) =>
      void sendProblem(Object.assign(request, { outcome: newOutcome() }), reply, error),
  })
  app.server.maxConnections = connectionCap()
  // Answered by the routes, after limits and signature: nobody is invited to send what will be refused.
  app.server.on(
    'checkContinue',
    (request: IncomingMessage & { expectsContinue?: boolean }, response: ServerResponse) => {
      request.expectsContinue = true
      app.server.emit('request', request, response)
    },
  )
  app.removeAllContentTypeParsers()
  // Bodies are streamed by the routes that take one; no parser may read ahead of them.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.decorateRequest('outcome')
  app.addHook('onRequest', async (request, reply) => {
    request.outcome = newOutcome()
    reply.header('X-Request-Id', request.id)
    // Comes for every request, for those too whose client has left or whose body was cut off.
    reply.raw.once('close', () => report(request, reply))
    if (draining()) reply.header('Connection', 'close')
  })
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error))
  app.setNotFoundHandler((request, reply) => {
    return sendProblem(request, reply, new SluiceError('route-not-found', 'There is no such route'))
  })
  return app

  function report(request: FastifyRequest, reply: FastifyReply): void {
    const { facts, route, startedAt } = request.outcome
    const left = !reply.raw.writableFinished
    const error =
      request.outcome.error ?? (left ? new SluiceError('client-closed', 'The client left') : undefined)
    // 499 is what proxies call a client that did not wait; nothing was sent with it.
    const status = error?.code === 'client-closed' ? 499 : reply.statusCode
    const totalMs = performance.now() - startedAt
    metrics.count('sluice_requests_total', { route, status: String(status) })
    metrics.observe('sluice_request_ms', totalMs, { route })
    if (error !== undefined) {
      metrics.count('sluice_problems_total', { code: error.code })
      const limit = LIMIT_NAMES.find((name) => name === error.facts.limit)
      if (limit !== undefined) metrics.count('sluice_limits_total', { code: error.code, limit })
    }
    if (route === 'health') return
    telemetry.log(
      error?.code === 'internal' || error?.code === 'worker-protocol' ? 'error' : 'info',
      'request',
      {
        id: request.id,
        method: request.method,
        url: safeUrl(request.raw.url ?? ''),
        status,
        code: error?.code ?? 'ok',
        ...(error === undefined
          ? {}
          : { detail: error.message, ...(error.internal === undefined ? {} : { internal: error.internal }) }),
        route,
        ...rounded(facts),
        totalMs: Math.round(totalMs * 10) / 10,
      },
    )
  }
}

function newOutcome(): FastifyRequest['outcome'] {
  return { facts: {}, route: 'other', startedAt: performance.now() }
}

function rounded(facts: Facts): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [
      key,
      typeof value === 'number' ? Math.round(value * 10) / 10 : value,
    ]),
  )
}

/** A URL for the log: cut, without its signature, without control characters. */
function safeUrl(url: string): string {
  return [
    ...url
      .slice(0, 2048)
      .replace(/([?&]s=)[^&]*/g, '$1…')
      .replace(/:\/\/[^/@]*@/g, '://…@'),
  ]
    .map((char) => (char < ' ' || char === '\u007f' ? '?' : char))
    .join('')
}

/** Signal and facts of one request; a client that leaves ends all its work. */
function contextOf(request: FastifyRequest, reply: FastifyReply): RequestContext {
  const abort = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort(new SluiceError('client-closed', 'The client left'))
  })
  return { signal: abort.signal, client: request.ip, facts: request.outcome.facts }
}

async function withBody<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { engine, maxUploadBytes }: ServerDependencies,
  use: (body: ReturnType<ReturnType<Engine['openInput']>['finish']>, context: RequestContext) => Promise<T>,
): Promise<T> {
  const { raw } = request
  const announced = Number(raw.headers['content-length'])
  const context = contextOf(request, reply)
  context.facts.sourceKind = 'upload'
  // A form is a little larger than its file; what the file itself may have is counted while it streams.
  if (announced > maxUploadBytes + 16_384) {
    throw new SluiceError(
      'upload-too-large',
      `Cannot take an upload of ${announced} bytes: the limit is ${maxUploadBytes}`,
      { facts: { limit: 'bytes', max: maxUploadBytes } },
    )
  }
  engine.assertRoom()
  const expected = Number.isSafeInteger(announced) ? { expectedBytes: announced } : {}
  const lease = engine.openInput({
    ...expected,
    maxBytes: maxUploadBytes,
    limitCode: 'upload-too-large',
    hash: 'streaming',
    client: context.client,
    signal: context.signal,
  })
  try {
    if ((raw as IncomingMessage & { expectsContinue?: boolean }).expectsContinue === true)
      reply.raw.writeContinue()
    await receiveUpload(raw, { lease, signal: context.signal })
    return await use(lease.finish(), context)
  } finally {
    lease.release()
  }
}

function cors(request: FastifyRequest, reply: FastifyReply, { corsOrigins }: HttpOptions): void {
  const { origin } = request.headers
  if (corsOrigins.length === 0 || origin === undefined) return
  reply.header('Vary', 'Origin')
  const allowed = corsOrigins.includes('*') ? '*' : corsOrigins.includes(origin) ? origin : undefined
  if (allowed === undefined) return
  reply.header('Access-Control-Allow-Origin', allowed)
  if (request.method === 'OPTIONS')
    reply
      .header('Access-Control-Allow-Methods', 'POST')
      .header('Access-Control-Allow-Headers', 'Content-Type, Authorization')
      .header('Access-Control-Max-Age', '600')
}

function noStore(reply: FastifyReply): FastifyReply {
  return reply.header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff')
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  avif: 'avif',
  gif: 'gif',
  tiff: 'tiff',
}

function sendVariant(
  request: FastifyRequest,
  reply: FastifyReply,
  variant: Variant,
  filename: string | undefined,
): FastifyReply {
  const { format } = variant.facts
  const name = `${filename ?? 'image'}.${EXTENSIONS[format]}`
  const { queueMs = 0, probeMs = 0 } = request.outcome.facts
  reply
    .type(`image/${format}`)
    .header('Content-Length', String(variant.bytes))
    .header('Content-Disposition', `${filename === undefined ? 'inline' : 'attachment'}; filename="${name}"`)
    .header('Content-Security-Policy', IMAGE_POLICY)
    .header('X-Content-Type-Options', 'nosniff')
    .header('Cross-Origin-Resource-Policy', 'cross-origin')
    .header(
      'Server-Timing',
      `probe;dur=${probeMs.toFixed(1)}, queue;dur=${queueMs.toFixed(1)}, work;dur=${variant.facts.totalMs.toFixed(1)}`,
    )
  releaseWhenSent(reply, variant)
  return reply.send(variant.chunks[0])
}

/** A result leaves memory when the socket has taken it, or when its reader has stopped reading. */
function releaseWhenSent(reply: FastifyReply, variant: Variant): void {
  const { socket } = reply.raw
  // A client that left while the picture was made has had its `close` already.
  if (socket === null || socket.destroyed) {
    variant.release()
    return
  }
  let written = socket?.bytesWritten ?? 0
  const timer = setInterval(() => {
    const now = (socket?.bytesWritten ?? 0) - (socket?.writableLength ?? 0)
    if (now === written) reply.raw.destroy()
    written = now
  }, SLOW_READER_MS)
  reply.raw.once('close', () => {
    clearInterval(timer)
    variant.release()
  })
}

function explainPlan(plan: Variant['plan']): Record<string, unknown> {
  const { base, passes, output, size, exact, frames, estimate, profile } = plan
  return {
    decode: {
      format: base.format,
      stored: base.stored,
      size: base.size,
      orientation: base.orientation,
      shrinkOnLoad: base.shrink,
      joinsFirstPass: base.fused,
      frames: base.frames,
      bitDepth: base.bitDepth,
      ...(base.rasterised === undefined ? {} : { rasterised: base.rasterised }),
    },
    passes: passes.map(({ steps }) =>
      steps.map(({ step, planned, input }) => ({
        ...step,
        from: input.size,
        to: planned.size,
        exact: planned.exact,
        ...(planned.measured === true ? { measured: true } : {}),
      })),
    ),
    output,
    profile,
    result: { ...size, exact, ...(exact ? {} : { note: 'at most' }), frames },
    estimate,
  }
}

function health(app: FastifyInstance, { engine, service, draining }: ServerDependencies): void {
  app.get('/healthz', (request, reply) => {
    request.outcome.route = 'health'
    return noStore(reply).send({ status: 'ok' })
  })
  let tested: { at: number; ok: boolean } | undefined
  app.get('/readyz', async (request, reply) => {
    request.outcome.route = 'health'
    const status = engine.status()
    if (
      status.ready &&
      !draining() &&
      (tested === undefined || performance.now() - tested.at > READY_CACHE_MS)
    ) {
      tested = { at: performance.now(), ok: await passes(engine) }
    }
    const ready = status.ready && !draining() && tested?.ok === true
    const details = {
      sandbox: status.sandbox,
      versions: status.versions,
      formats: [...service.formats],
      workers: status.workers,
      memory: { budgetBytes: status.budgetBytes, committedBytes: status.committedBytes },
      queueDepth: status.queueDepth,
    }
    return noStore(reply)
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : draining() ? 'draining' : 'not ready', ...details })
  })
}

async function passes(engine: Engine): Promise<boolean> {
  try {
    await engine.selfTest({
      signal: AbortSignal.timeout(5000),
      deadlineAt: performance.now() + 5000,
      client: 'readyz',
    })
    return true
  } catch (error) {
    // Busy is not broken: while all workers are at work, real jobs are the test.
    return error instanceof SluiceError
      ? error.code === 'overloaded'
      : (error as Error).name === 'TimeoutError'
  }
}
