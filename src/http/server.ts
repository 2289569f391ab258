import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Action, native } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import { describeProbe } from '../service/index.ts'
import { createBase, safeUrl } from './base.ts'
import { contextOf } from './context.ts'
import type { ServerDependencies } from './dependencies.ts'
import { explainPlan } from './explain-plan.ts'
import { cors, noStore } from './headers.ts'
import { addHealth } from './health.ts'
import type { HotPath } from './hot-path.ts'
import { openApi } from './openapi.ts'
import { renderPage } from './page.ts'
import { sendProblem } from './problem.ts'
import { withBody } from './receive-body.ts'
import { deliverVariant, sendVariant } from './send-variant.ts'

const PAGE_POLICY =
  "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** The public listener: every route of the HTTP contract. */
export function createServer(dependencies: ServerDependencies): FastifyInstance {
  const { service, policy, options, delivery, hot } = dependencies
  const app = createBase(dependencies)
  serveHot(app, hot)

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
  addHealth(app, dependencies)

  const parse = async (request: FastifyRequest, wanted: Action) => {
    const claim = native.claim(request.raw.url ?? '/')
    const bounds = await policy({ claim, upload: request.method === 'POST', headers: request.headers })
    const { action, order } = native.parse(claim)
    if (action !== wanted) throw new SluiceError('route-not-found', 'There is no such route')
    const signed = claim.signature !== undefined
    return { order, policy: bounds, signed, expiresAt: bounds?.exp ?? claim.expires, path: claim.path }
  }

  app.get('/i/*', async (request, reply) => {
    request.outcome.route = 'render'
    cors(request, reply, options)
    const { order, policy: bounds, signed, expiresAt, path } = await parse(request, 'render')
    const variant = await service.render(order, contextOf(request, reply, bounds))
    // Bounds of a policy are looked at each time.
    const onHeaders = (headers: Readonly<Record<string, unknown>>) => {
      if (bounds === undefined)
        hot.see(request.raw, {
          variant,
          headers,
          signed,
          expiresAt,
          safeUrl: () => safeUrl(request.raw.url ?? ''),
        })
    }
    return deliverVariant(request, reply, variant, { ...delivery, order, expiresAt, path, onHeaders })
  })

  app.get('/info/*', async (request, reply) => {
    request.outcome.route = 'info'
    const { order, policy: bounds } = await parse(request, 'info')
    const probe = await service.describe(order, contextOf(request, reply, bounds))
    return noStore(reply).send(describeProbe(probe))
  })

  app.get('/explain/*', async (request, reply) => {
    request.outcome.route = 'explain'
    const { order, policy: bounds } = await parse(request, 'explain')
    const { probe, plan, recipe } = await service.explain(order, contextOf(request, reply, bounds))
    return noStore(reply).send({ source: describeProbe(probe), recipe, plan: explainPlan(plan) })
  })

  const upload = async (request: FastifyRequest, reply: FastifyReply) => {
    request.outcome.route = 'upload'
    cors(request, reply, options)
    const { order } = await parse(request, 'upload')
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

/** In front of the framework, which would cost more than the answer. */
function serveHot(app: FastifyInstance, hot: HotPath): void {
  const ordinary = app.server.listeners('request') as RequestListener[]
  app.server.removeAllListeners('request')
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!hot.serve(request, response)) for (const listener of ordinary) listener(request, response)
  })
}
