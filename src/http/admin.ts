import type { FastifyInstance, FastifyRequest } from 'fastify'
import { native } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { Purge } from '../service/index.ts'
import { equalText } from '../signing/index.ts'
import { createBase } from './base.ts'
import type { ServerDependencies } from './dependencies.ts'
import { noStore } from './headers.ts'
import { addHealth } from './health.ts'

/** The admin listener: metrics, health and purging, loopback by default. */
export function createAdminServer(dependencies: ServerDependencies): FastifyInstance {
  const { metrics, service, adminToken, hot } = dependencies
  const app = createBase(dependencies)
  app.get('/metrics', async (request, reply) => {
    request.outcome.route = 'metrics'
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.page())
  })
  const purge = async (request: FastifyRequest) => {
    request.outcome.route = 'purge'
    checkToken(request, adminToken)
    const purged = await service.purge(readPurge(request.raw.url ?? ''))
    hot.clear()
    return { purged }
  }
  app.delete('/cache', async (request, reply) => noStore(reply).send(await purge(request)))
  app.delete('/cache/*', async (request, reply) => noStore(reply).send(await purge(request)))
  addHealth(app, dependencies)
  return app
}

/** @throws {SluiceError} `admin-token-invalid`. */
function checkToken({ headers }: FastifyRequest, token: string | undefined): void {
  const given = String(headers.authorization ?? '').replace(/^Bearer /i, '')
  if (token === undefined)
    throw new SluiceError('admin-token-invalid', 'Cannot purge: this service has no SLUICE_ADMIN_TOKEN')
  if (!equalText(token, given))
    throw new SluiceError('admin-token-invalid', 'Cannot purge: it needs "Authorization: Bearer <token>"')
}

/**
 * What a purge URL means: `/cache` all; `/cache/i/<recipe>/<source>` the variants of that URL; `/cache/source/<source>`
 * all of a source and what is kept of it; `/cache/prefix/<source>` of all sources that begin so; `/cache/tag/<tag>`.
 *
 * @throws {SluiceError} `route-not-found`, `url-invalid`.
 */
function readPurge(target: string): Purge {
  const path = target.replace(/\?.*$/, '').replace(/^\/cache\/?/, '')
  if (path === '') return { kind: 'all' }
  const [kind = '', ...rest] = path.split('/')
  const text = rest.join('/')
  if (kind === 'i')
    return { kind: 'url', order: native.parse(native.claim(target.slice('/cache'.length))).order }
  if (text !== '' && kind === 'tag') return { kind, text: decodeURIComponent(text) }
  if (text !== '' && (kind === 'source' || kind === 'prefix')) {
    // Read as in any other URL.
    const { order } = native.parse(native.claim(`/info/${text}`))
    return { kind, text: order.source ?? '' }
  }
  throw new SluiceError(
    'route-not-found',
    'Cannot purge that: known are /cache, /cache/i/…, /cache/source/…, /cache/prefix/…, /cache/tag/…',
  )
}
