import { readSync, writeSync } from 'node:fs'
import { noteTransient } from './transient.ts'

/** Descriptor of the socket between server and worker, in the worker. */
export const WORKER_FD = 3

/** Longest header that either side accepts, bytes. A plan of 32 options is under 32 KiB. */
export const MAX_HEADER_BYTES = 1024 * 1024

/** A header with the lengths of the payloads that follow it. */
interface Framed {
  readonly payloads: readonly number[]
}

/**
 * The bytes in front of the payloads: a 32-bit big-endian length and the header as JSON.
 *
 * @param header Any message of `messages.ts`; its `payloads` tell the lengths of what follows.
 */
export function encodeHeader(header: Framed): Buffer {
  const json = Buffer.from(JSON.stringify(header), 'utf8')
  const frame = Buffer.allocUnsafe(4 + json.length)
  frame.writeUInt32BE(json.length, 0)
  json.copy(frame, 4)
  return frame
}

/** A whole message with its payloads, one buffer each. */
export interface Message<H> {
  readonly header: H
  readonly payloads: readonly Buffer[]
}

/**
 * Reads one message, blocking. An image worker has nothing else to do while it waits, and a blocking read
 * costs no event loop turn per 64 KiB.
 *
 * @returns The message, or `undefined` at the end of the stream.
 * @throws {Error} when the stream ends inside a message or a length is out of range.
 */
export function readMessageSync<H extends Framed>(fd: number): Message<H> | undefined {
  const prefix = Buffer.allocUnsafe(4)
  if (!fill(fd, prefix, true)) return undefined
  const length = prefix.readUInt32BE(0)
  if (length > MAX_HEADER_BYTES) throw new Error(`Cannot read a header of ${length} bytes`)
  const json = Buffer.allocUnsafe(length)
  fill(fd, json, false)
  const header = JSON.parse(json.toString('utf8')) as H
  const payloads = header.payloads.map((bytes, index) => {
    const payload = index === 0 ? arenaFor(bytes) : Buffer.allocUnsafeSlow(bytes)
    fill(fd, payload, false)
    return payload
  })
  return { header, payloads }
}

/** Bodies up to this size are read into one buffer that is used again: what is not garbage need not be collected. */
const ARENA_BYTES = 4 * 1024 * 1024
let arena = Buffer.alloc(0)

/** Memory for the first payload; valid until the next message is read. */
function arenaFor(bytes: number): Buffer {
  if (bytes > ARENA_BYTES) {
    noteTransient(bytes)
    return Buffer.allocUnsafeSlow(bytes)
  }
  if (arena.length < bytes) arena = Buffer.allocUnsafeSlow(Math.min(ARENA_BYTES, 2 * bytes))
  return arena.subarray(0, bytes)
}

/** Writes one message, blocking. */
export function writeMessageSync(fd: number, header: Framed, payloads: readonly Uint8Array[] = []): void {
  drain(fd, encodeHeader(header))
  for (const payload of payloads) {
    drain(fd, payload)
    noteTransient(payload.length)
  }
}

function fill(fd: number, target: Buffer, endAllowed: boolean): boolean {
  let offset = 0
  while (offset < target.length) {
    const read = retry(() => readSync(fd, target, offset, target.length - offset, null))
    if (read === 0) {
      if (endAllowed && offset === 0) return false
      throw new Error('The stream ended inside a message')
    }
    offset += read
  }
  return true
}

function drain(fd: number, bytes: Uint8Array): void {
  let offset = 0
  while (offset < bytes.length) offset += retry(() => writeSync(fd, bytes, offset, bytes.length - offset))
}

const nap = new Int32Array(new SharedArrayBuffer(4))

function retry(call: () => number): number {
  for (;;) {
    try {
      return call()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // The socket may be non-blocking when a parent on another platform made it so.
      if (code === 'EAGAIN') Atomics.wait(nap, 0, 0, 1)
      else if (code !== 'EINTR') throw error
    }
  }
}

export interface MessageReaderOptions<H> {
  /** Refuses a header before its payloads are taken: return the reason, or `undefined` to accept. */
  readonly check: (header: H) => string | undefined
  readonly onMessage: (header: H, payloads: readonly Buffer[]) => void
  /** The other side broke the protocol; nothing more is delivered. */
  readonly onError: (reason: string) => void
}

/** Cuts a stream into messages on the server's side. Every length is checked before memory is taken for it. */
export class MessageReader<H extends Framed> {
  readonly #options: MessageReaderOptions<H>
  readonly #prefix = Buffer.allocUnsafe(4)
  #target: Buffer = this.#prefix
  #offset = 0
  #header: H | undefined
  #payloads: Buffer[] = []
  #phase: 'prefix' | 'header' | 'payload' | 'failed' = 'prefix'

  constructor(options: MessageReaderOptions<H>) {
    this.#options = options
  }

  /** Whether a message has begun and not ended. */
  get inside(): boolean {
    return this.#phase !== 'prefix' || this.#offset > 0
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length && this.#phase !== 'failed') {
      const take = Math.min(chunk.length - at, this.#target.length - this.#offset)
      this.#target.set(chunk.subarray(at, at + take), this.#offset)
      at += take
      this.#offset += take
      if (this.#offset === this.#target.length) this.#advance()
    }
  }

  #advance(): void {
    this.#offset = 0
    if (this.#phase === 'prefix') {
      const length = this.#prefix.readUInt32BE(0)
      if (length === 0 || length > MAX_HEADER_BYTES) {
        this.#fail(`header of ${length} bytes`)
        return
      }
      this.#target = Buffer.allocUnsafe(length)
      this.#phase = 'header'
      return
    }
    if (this.#phase === 'header') {
      const header = parseHeader<H>(this.#target)
      if (header === undefined) {
        this.#fail('header is not a message')
        return
      }
      const refusal = this.#options.check(header)
      if (refusal !== undefined) {
        this.#fail(refusal)
        return
      }
      this.#header = header
      this.#payloads = []
      this.#phase = 'payload'
    } else {
      this.#payloads.push(this.#target)
    }
    const next = this.#header?.payloads[this.#payloads.length]
    if (next === undefined) {
      this.#deliver()
      return
    }
    this.#target = Buffer.allocUnsafeSlow(next)
    if (next === 0) this.#advance()
  }

  #deliver(): void {
    const header = this.#header
    const payloads = this.#payloads
    this.#header = undefined
    this.#payloads = []
    this.#target = this.#prefix
    this.#phase = 'prefix'
    if (header !== undefined) this.#options.onMessage(header, payloads)
  }

  #fail(reason: string): void {
    this.#phase = 'failed'
    this.#payloads = []
    this.#options.onError(reason)
  }
}

function parseHeader<H extends Framed>(json: Buffer): H | undefined {
  try {
    const value = JSON.parse(json.toString('utf8')) as H
    const lengths = value?.payloads
    return Array.isArray(lengths) && lengths.every((n) => Number.isSafeInteger(n) && n >= 0)
      ? value
      : undefined
  } catch {
    return undefined
  }
}
