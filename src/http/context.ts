import type { FastifyReply, FastifyRequest } from 'fastify'
import { readHints } from '../delivery/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { RequestContext } from '../service/index.ts'
import type { SignedPolicy } from '../signing/index.ts'

/** Signal, wishes and facts of one request; a client that leaves ends all its work. */
export function contextOf(
  request: FastifyRequest,
  reply: FastifyReply,
  policy?: SignedPolicy | undefined,
): RequestContext {
  const abort = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort(new SluiceError('client-closed', 'The client left'))
  })
  const { accept, via, 'save-data': saveData } = request.headers
  return {
    signal: abort.signal,
    client: request.ip,
    facts: request.outcome.facts,
    wishes: {
      hints: readHints(request.headers),
      ...(accept === undefined ? {} : { accept }),
      ...(typeof saveData === 'string' ? { saveData } : {}),
    },
    ...(typeof via === 'string' ? { via } : {}),
    ...(policy === undefined ? {} : { policy }),
  }
}
