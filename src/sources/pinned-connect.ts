import { once } from 'node:events'
import { isIP, connect as netConnect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { sameAddress } from './address-guard.ts'
import type { Deadline } from './deadline.ts'
import { OriginError } from './origin-error.ts'

/** Opens a TCP connection to an address. Tests put a local listener in the place of a public one. */
export type Connect = (target: { readonly address: string; readonly port: number }) => Socket

export interface DialOptions {
  readonly address: string
  readonly port: number
  /** What the certificate must be for: the name of the URL, never the address it was resolved to. */
  readonly name: string
  readonly secure: boolean
  readonly connect: Connect
  readonly connectTimeoutMs: number
  /** Certificates to trust instead of the built-in ones, PEM. */
  readonly ca: string | undefined
  readonly deadline: Deadline
}

/** Connects directly: the environment's proxies are for other programs, behind one nothing could be checked. */
export const connectDirectly: Connect = ({ address, port }) =>
  netConnect({ host: address, port, noDelay: true })

/**
 * A connection to exactly one address, with TLS where the URL asks for it.
 *
 * The peer is compared with the address that was allowed before a byte is written.
 *
 * @throws {OriginError} `origin-failed`, `origin-timeout`, `source-forbidden`; the deadline's reason.
 */
export async function dial(options: DialOptions): Promise<Socket> {
  const { address, port, connect, connectTimeoutMs, deadline } = options
  deadline.signal.throwIfAborted()
  deadline.phase('connect', connectTimeoutMs)
  const socket = connect({ address, port })
  // Whoever takes the socket listens for himself; until then an error must not end the process.
  socket.on('error', () => {})
  try {
    if (socket.connecting) await deadline.race(whenever(socket, 'connect'))
    checkPeer(socket, address)
    return options.secure ? await encrypt(socket, options) : socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    deadline.rest()
  }
}

function checkPeer({ remoteAddress }: Socket, address: string): void {
  if (remoteAddress === undefined)
    throw OriginError.unreachable('connect', 'the connection was closed at once', true)
  if (!sameAddress(remoteAddress, address))
    throw OriginError.denied('peer', `connected to ${remoteAddress}, expected ${address}`)
}

async function encrypt(socket: Socket, options: DialOptions): Promise<Socket> {
  const { name, ca, connectTimeoutMs, deadline } = options
  deadline.phase('tls', connectTimeoutMs * 1.5)
  const secured = tlsConnect({
    socket,
    host: name,
    // RFC 6066 §3: an address is no server name; the certificate is then checked against `host`.
    servername: isIP(name) === 0 ? name : '',
    ALPNProtocols: ['http/1.1'],
    // Said aloud: the default can be switched off by a variable.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  })
  secured.on('error', () => {})
  try {
    await deadline.race(whenever(secured, 'secureConnect', 'tls'))
    return secured
  } catch (error) {
    secured.destroy()
    throw error
  }
}

async function whenever(
  socket: Socket,
  event: string,
  failure: 'connect' | 'tls' = 'connect',
): Promise<void> {
  const done = new AbortController()
  const closed = once(socket, 'close', { signal: done.signal }).then(() => {
    throw new Error('closed before it was ready')
  })
  try {
    await Promise.race([once(socket, event, { signal: done.signal }), closed])
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw OriginError.unreachable(failure, `${failure}: ${code ?? message}`, failure === 'connect')
  } finally {
    closed.catch(() => {})
    done.abort()
  }
}
