import type { FastifyReply, FastifyRequest } from 'fastify'
import type { HttpOptions } from './options.ts'

/** @see https://fetch.spec.whatwg.org/#http-cors-protocol */
export function cors(request: FastifyRequest, reply: FastifyReply, { corsOrigins }: HttpOptions): void {
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

export function noStore(reply: FastifyReply): FastifyReply {
  return reply.header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff')
}
