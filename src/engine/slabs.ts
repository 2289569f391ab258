import { createHash, type Hash } from 'node:crypto'
import { SluiceError } from '../errors/index.ts'
import { noteTransient } from './transient.ts'
import type { Body, InputLease, OpenInputOptions } from './types.ts'

/** Unit in which room for bodies is granted. */
export const SLAB_BYTES = 256 * 1024
const HEAD_BYTES = 4096
/** Free slabs that are kept for the next body instead of going back to the allocator. */
const IDLE_SLABS = 32
/** Slabs that one read of a file may fill. */
const READ_SLABS = 8

interface Waiter {
  readonly lease: Lease
  readonly resolve: (slab: Uint8Array) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
}

export interface SlabsOptions {
  /** Bytes that all bodies may hold together. */
  readonly capacityBytes: number
  readonly waitMs: number
  /** Called whenever the held bytes change. */
  readonly onChange: (heldBytes: number) => void
}

/**
 * Memory for bodies, in slabs that are used again instead of being left to garbage collection.
 *
 * A slab is granted only while the oldest unfinished body could still get all it may need; so bodies that hold
 * a part never wait for each other for good (the banker's rule with one distinguished customer).
 */
export class Slabs {
  readonly #capacity: number
  readonly #options: SlabsOptions
  readonly #idle: Uint8Array[] = []
  readonly #unfinished = new Set<Lease>()
  #waiters: Waiter[] = []
  #held = 0

  constructor(options: SlabsOptions) {
    this.#options = options
    this.#capacity = Math.max(1, Math.floor(options.capacityBytes / SLAB_BYTES))
  }

  get heldBytes(): number {
    return this.#held * SLAB_BYTES
  }

  get waiting(): number {
    return this.#waiters.length
  }

  open(options: OpenInputOptions): InputLease {
    const lease = new Lease(this, options)
    this.#unfinished.add(lease)
    return lease
  }

  /** Room for one more slab of this lease; waits for it, but not forever. */
  take(lease: Lease): Promise<Uint8Array> | Uint8Array {
    const { signal } = lease.options
    signal.throwIfAborted()
    if (this.#waiters.length === 0 && this.#grantable(lease)) return this.#grant(lease)
    return new Promise((resolve, reject) => {
      const leave = (error: unknown) => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== own)
        clearTimeout(own.timer)
        signal.removeEventListener('abort', onAbort)
        reject(error)
      }
      const onAbort = () => leave(signal.reason)
      const timer = setTimeout(() => leave(noRoom()), this.#options.waitMs)
      const own: Waiter = {
        lease,
        timer,
        reject: leave,
        resolve: (slab) => {
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
          resolve(slab)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(own)
      // The oldest body may go on while younger ones wait.
      this.#moveUp()
    })
  }

  /** Room for one more slab if there is some at once. */
  tryTake(lease: Lease): Uint8Array | undefined {
    return this.#waiters.length === 0 && this.#grantable(lease) ? this.#grant(lease) : undefined
  }

  /** Takes slabs back, and lets the waiting move up. */
  give(slabs: readonly Uint8Array[]): void {
    this.#held -= slabs.length
    this.#idle.push(...slabs.slice(0, Math.max(0, IDLE_SLABS - this.#idle.length)))
    this.#options.onChange(this.heldBytes)
    this.#moveUp()
  }

  /** The lease needs nothing more. */
  settle(lease: Lease): void {
    this.#unfinished.delete(lease)
    this.#moveUp()
  }

  #moveUp(): void {
    for (const waiter of this.#waiters.toSorted((a, b) => a.lease.order - b.lease.order)) {
      if (!this.#grantable(waiter.lease)) continue
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
      waiter.resolve(this.#grant(waiter.lease))
    }
  }

  #grantable(lease: Lease): boolean {
    const free = this.#capacity - this.#held
    const [oldest] = this.#unfinished
    if (free < 1) return false
    return (
      oldest === undefined || oldest === lease || free - 1 >= Math.min(oldest.stillNeeded, this.#capacity)
    )
  }

  #grant(lease: Lease): Uint8Array {
    this.#held += 1
    lease.taken += 1
    this.#options.onChange(this.heldBytes)
    return this.#idle.pop() ?? new Uint8Array(SLAB_BYTES)
  }
}

let opened = 0

class Lease implements InputLease {
  readonly options: OpenInputOptions
  /** Age among all leases. */
  readonly order = opened++
  taken = 0
  readonly #slabs: Slabs
  readonly #most: number
  /** Bytes that come slowly are hashed on the way; of those that come at once the hash is made when asked for. */
  readonly #hash: Hash | undefined
  #chunks: Uint8Array[] = []
  #bytes = 0
  #open = true

  constructor(slabs: Slabs, options: OpenInputOptions) {
    this.#slabs = slabs
    this.options = options
    const expected = Math.min(options.expectedBytes ?? options.maxBytes, options.maxBytes)
    this.#most = Math.ceil(Math.max(1, expected) / SLAB_BYTES)
    this.#hash = options.hash === 'streaming' ? createHash('sha256') : undefined
  }

  /** Slabs it may yet ask for. */
  get stillNeeded(): number {
    return Math.max(0, this.#most - this.taken)
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkLength(chunk.length)
    this.#hash?.update(chunk)
    noteTransient(chunk.length)
    let rest = chunk
    while (rest.length > 0) {
      const used = this.#bytes % SLAB_BYTES
      if (used === 0) await this.#grow()
      const slab = this.#chunks.at(-1) as Uint8Array
      const part = rest.subarray(0, SLAB_BYTES - used)
      slab.set(part, used)
      this.#bytes += part.length
      rest = rest.subarray(part.length)
    }
  }

  async fill(bytes: number, read: (targets: readonly Uint8Array[]) => Promise<number>): Promise<void> {
    this.#checkLength(bytes)
    for (let left = bytes; left > 0; ) {
      await this.#grow()
      while (
        this.#chunks.length % READ_SLABS !== 0 &&
        this.#chunks.length < Math.ceil((this.#bytes + left) / SLAB_BYTES)
      ) {
        const more = this.#slabs.tryTake(this)
        if (more === undefined) break
        this.#chunks.push(more)
      }
      const got = await this.#fillSlabs(left, read)
      left -= got
      if (got === 0) return
    }
  }

  /** Fills the slabs that stand empty; a file may give less than asked for, but stops only at its end. */
  async #fillSlabs(most: number, read: (targets: readonly Uint8Array[]) => Promise<number>): Promise<number> {
    const from = this.#bytes
    const end = Math.min(from + most, this.#chunks.length * SLAB_BYTES)
    while (this.#bytes < end) {
      const targets = this.#chunks
        .map((slab, index) => slab.subarray(...within(index, this.#bytes, end)))
        .filter(({ length }) => length > 0)
      const got = await read(targets)
      if (got === 0) break
      this.#bytes += got
    }
    return this.#bytes - from
  }

  async #grow(): Promise<void> {
    const slab = this.#slabs.take(this)
    const granted = slab instanceof Uint8Array ? slab : await slab
    if (!this.#open) {
      this.#slabs.give([granted])
      throw new SluiceError('client-closed', 'The body was given up')
    }
    this.#chunks.push(granted)
  }

  #checkLength(more: number): void {
    const { maxBytes, limitCode } = this.options
    if (this.#bytes + more <= maxBytes) return
    const what = limitCode === 'upload-too-large' ? 'an upload' : 'a source'
    throw new SluiceError(limitCode, `Cannot take ${what} of more than ${maxBytes} bytes`, {
      facts: { limit: 'bytes', max: maxBytes },
    })
  }

  head(): Uint8Array {
    return (this.#chunks[0] ?? new Uint8Array(0)).subarray(0, Math.min(HEAD_BYTES, this.#bytes))
  }

  finish(): Body {
    const slabs = this.#chunks
    const bytes = this.#bytes
    this.#open = false
    this.#chunks = []
    this.#slabs.settle(this)
    let held = true
    // A file that became shorter while it was read leaves slabs that hold nothing.
    const chunks = slabs
      .map((slab, index) => slab.subarray(...within(index, 0, bytes)))
      .filter(({ length }) => length > 0)
    let sha256 = this.#hash?.digest('hex')
    return {
      bytes,
      get sha256() {
        sha256 ??= hashOf(chunks)
        return sha256
      },
      chunks,
      release: () => {
        if (!held) return
        held = false
        this.#slabs.give(slabs)
      },
    }
  }

  release(): void {
    if (!this.#open) return
    this.#open = false
    const slabs = this.#chunks
    this.#chunks = []
    this.#slabs.settle(this)
    this.#slabs.give(slabs)
  }
}

/** The part of slab `index` that holds the bytes from `from` to `end` of a body. */
function within(index: number, from: number, end: number): [number, number] {
  const inSlab = (at: number) => Math.min(SLAB_BYTES, Math.max(0, at - index * SLAB_BYTES))
  return [inSlab(from), inSlab(end)]
}

function hashOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

function noRoom(): SluiceError {
  return new SluiceError('overloaded', 'Cannot take the body: no memory became free in time', {
    retryAfterSeconds: 2,
  })
}
