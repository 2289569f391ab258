import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A wire between a client and a server of tests: it can be cut, it can stall, and it knows who is connected. */
export interface FaultProxy {
  readonly port: number
  /** Connections of clients that are open now. */
  readonly open: number
  /** From now on every connection ends after so many bytes of answers. */
  cutAfter(bytes: number): void
  /** From now on every connection falls silent after so many bytes of answers. */
  stallAfter(bytes: number): void
  /** As a wire should be. */
  heal(): void
  close(): Promise<void>
}

/** Forwards bytes as they are, so signatures over the host and port stay valid. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const clients = new Set<Socket>()
  let fault: { kind: 'cut' | 'stall'; bytes: number; since: object } | undefined
  const server = createServer((client) => {
    clients.add(client)
    const upstream = connect(targetPort, '127.0.0.1')
    const end = () => {
      clients.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.pipe(upstream)
    let counted: object | undefined
    let passed = 0
    upstream.on('data', (chunk: Buffer) => {
      if (fault === undefined) {
        if (!client.write(chunk)) upstream.pause()
        return
      }
      if (counted !== fault.since) passed = 0
      counted = fault.since
      const room = Math.max(0, fault.bytes - passed)
      passed += chunk.length
      client.write(chunk.subarray(0, room))
      if (passed < fault.bytes) return
      if (fault.kind === 'cut') client.end(end)
      else upstream.pause()
    })
    client.on('drain', () => upstream.resume())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const set = (kind: 'cut' | 'stall') => (bytes: number) => {
    fault = { kind, bytes, since: {} }
  }
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return clients.size
    },
    cutAfter: set('cut'),
    stallAfter: set('stall'),
    heal() {
      fault = undefined
    },
    async close() {
      for (const client of clients) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
