import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Body } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { RequestContext } from '../service/index.ts'
import { contextOf } from './context.ts'
import type { ServerDependencies } from './dependencies.ts'
import { receiveUpload } from './upload.ts'

/** Receives the body of an upload under a lease and uses it; every byte of it is given back. */
export async function withBody<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { engine, maxUploadBytes }: ServerDependencies,
  use: (body: Body, context: RequestContext) => Promise<T>,
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
