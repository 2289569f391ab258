import type { FastifyReply, FastifyRequest } from 'fastify'
import { catalog, SluiceError } from '../errors/index.ts'
import { linger } from './upload.ts'

/** An RFC 9457 problem document. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly instance: string
  readonly [fact: string]: unknown
}

/** Whatever was thrown, as the error of the catalogue that stands for it. */
export function toSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const { name, code, statusCode } = (error ?? {}) as { name?: string; code?: string; statusCode?: number }
  if (name === 'AbortError' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new SluiceError('client-closed', 'The client left', { cause: error })
  if (statusCode === 400 || code === 'FST_ERR_BAD_URL')
    return new SluiceError('url-invalid', 'Cannot read this URL', { cause: error })
  return new SluiceError('internal', 'Something went wrong: the log knows this request by its id', {
    cause: error,
    internal: String((error as Error)?.stack ?? error),
  })
}

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export function toProblem(error: SluiceError, from: 'source' | 'upload', instance: string): Problem {
  const status = error.status(from)
  // Facts first: a member of the standard is never overwritten by one.
  return {
    ...error.facts,
    type: `urn:sluice:problem:${error.code}`,
    title: catalog[error.code].title,
    status,
    code: error.code,
    detail: error.message,
    instance,
  }
}

/** The single place where errors become answers. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = toSluiceError(thrown)
  const from = request.method === 'POST' ? 'upload' : 'source'
  const problem = toProblem(error, from, request.id)
  request.outcome.error = error
  if (error.retryAfterSeconds !== undefined) reply.header('Retry-After', String(error.retryAfterSeconds))
  const body = Buffer.from(JSON.stringify(problem))
  reply
    .code(problem.status)
    .header('Cache-Control', 'no-store')
    .header('X-Content-Type-Options', 'nosniff')
    .header('Content-Type', 'application/problem+json')
    .header('Content-Length', String(body.length))
  const { raw } = request
  const bodied = raw.headers['content-length'] !== undefined || raw.headers['transfer-encoding'] !== undefined
  if (!bodied || raw.complete) return reply.send(body)
  // The client still sends: it gets the whole answer now, and the connection ends when it has had time to read it.
  reply.header('Connection', 'close').hijack()
  reply.raw.writeHead(problem.status, reply.getHeaders() as Record<string, string>)
  if (request.method !== 'HEAD') reply.raw.write(body)
  linger(raw, () => {
    reply.raw.end()
    if (!raw.complete) setTimeout(() => raw.socket.destroy(), 50).unref()
  })
  return reply
}
