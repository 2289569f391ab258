import type { FastifyReply } from 'fastify'

const SLOW_READER_MS = 30_000

/** A result leaves memory when the socket has taken it, or when its reader has stopped reading. */
export function releaseWhenSent(reply: FastifyReply, variant: { release(): void }): void {
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
