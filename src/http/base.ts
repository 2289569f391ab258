import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { LIMIT_NAMES, SluiceError } from '../errors/index.ts'
import type { Facts } from '../service/index.ts'
import { connectionCap } from './connection-cap.ts'
import type { ServerDependencies } from './dependencies.ts'
import { sendProblem } from './problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    outcome: { error?: SluiceError; facts: Facts; route: string; startedAt: number }
  }
}

/** What both listeners have in common: limits of connections, problems, a line and counters for each request. */
export function createBase({ telemetry, metrics, draining }: ServerDependencies): FastifyInstance {
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

/** A URL for the log: cut, without signature, policy and encrypted source, without control characters. */
export function safeUrl(url: string): string {
  return [
    ...url
      .slice(0, 2048)
      .replace(/([?&][sp]=)[^&]*/g, '$1…')
      .replace(/(\/e(?::|%3A))[^/?,;]*/gi, '$1…')
      .replace(/(=e(?::|%3A))[^/?,;]*/gi, '$1…')
      .replace(/:\/\/[^/@]*@/g, '://…@'),
  ]
    .map((char) => (char < ' ' || char === '\u007f' ? '?' : char))
    .join('')
}
