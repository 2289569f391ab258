import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { Client, errors } from 'undici'
import type { Deadline } from './deadline.ts'
import { type DialOptions, dial } from './pinned-connect.ts'

/** One connection to one address for one origin; it serves one request at a time. */
export interface Connection {
  readonly origin: string
  readonly address: string
  readonly client: Client
  readonly socket: Socket
  /** The socket is gone, or has said something that nobody asked for. */
  readonly lost: boolean
}

interface OpenConnection extends Connection {
  lost: boolean
}

const MAX_IDLE = 256
const MAX_HEADER_BYTES = 16 * 1024

export interface ConnectionsOptions {
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number
}

/** Idle connections by origin. Each keeps the address it was pinned to, so a name that moves meets no old socket. */
export class Connections {
  readonly #idle = new Map<string, OpenConnection[]>()
  readonly #all = new Set<OpenConnection>()
  readonly #keepAliveMs: number
  #idleCount = 0
  #closed = false

  constructor({ keepAliveMs }: ConnectionsOptions) {
    this.#keepAliveMs = keepAliveMs
  }

  /** Connects. */
  async open(origin: string, options: DialOptions): Promise<Connection> {
    const socket = await dial(options)
    const client = this.#client(origin, socket)
    const connection: OpenConnection = { origin, address: options.address, client, socket, lost: false }
    client.on('disconnect', () => this.#lose(connection))
    this.#all.add(connection)
    if (this.#closed) this.discard(connection)
    return connection
  }

  /** An idle connection of this origin, to any address that was allowed when it was opened. */
  async take(origin: string, deadline: Deadline): Promise<Connection | undefined> {
    for (;;) {
      const connection = this.#idle.get(origin)?.pop()
      if (connection === undefined) {
        this.#idle.delete(origin)
        return undefined
      }
      this.#idleCount -= 1
      // Whatever lies in the socket is read first: a second answer to the last request ends the connection here.
      await setImmediate()
      if (deadline.signal.aborted) this.discard(connection)
      deadline.signal.throwIfAborted()
      // The client learns of the end of its socket some ticks later.
      if (connection.socket.destroyed) this.discard(connection)
      if (!connection.lost) return connection
    }
  }

  /** Takes a connection back whose answer was read to its end. */
  give(connection: Connection): void {
    const open = connection as OpenConnection
    if (open.lost || this.#closed || this.#idleCount >= MAX_IDLE) {
      this.discard(open)
      return
    }
    const idle = this.#idle.get(open.origin)
    if (idle === undefined) this.#idle.set(open.origin, [open])
    else idle.push(open)
    this.#idleCount += 1
  }

  /** Ends a connection; after anything odd it is never used again. */
  discard(connection: Connection): void {
    this.#lose(connection as OpenConnection)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#all].map(({ client }) => client.destroy()))
    this.#idle.clear()
  }

  #lose(connection: OpenConnection): void {
    if (connection.lost) return
    connection.lost = true
    this.#all.delete(connection)
    const idle = this.#idle.get(connection.origin)
    const at = idle?.indexOf(connection) ?? -1
    if (at >= 0) {
      idle?.splice(at, 1)
      this.#idleCount -= 1
      if (idle?.length === 0) this.#idle.delete(connection.origin)
    }
    void connection.client.destroy()
  }

  #client(origin: string, socket: Socket): Client {
    let spent = false
    return new Client(origin, {
      pipelining: 1,
      allowH2: false,
      // An experiment of the library that a variable could switch on.
      useMilo: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: this.#keepAliveMs,
      keepAliveMaxTimeout: this.#keepAliveMs,
      // The deadline of the fetch has finer timers.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        // A client that lost its socket would dial again by itself, past every check.
        const taken = spent
        spent = true
        queueMicrotask(() =>
          taken ? callback(new errors.SocketError('This connection is over'), null) : callback(null, socket),
        )
      },
    })
  }
}
