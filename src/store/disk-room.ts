/** What is in the store, and what comes on top once the writes under way are done. */
export interface RoomOptions {
  readonly maxBytes: number
  readonly maxEntries: number
  /** @returns `undefined` when it cannot be told. */
  totals(): { readonly entries: number; readonly bytes: number } | undefined
  /** Makes room by removing the least recently used entry. @returns Whether one is gone. */
  evict(): Promise<boolean>
}

/** Keeps a store below its bound: room is made before it is taken, one after the other. */
export class DiskRoom {
  readonly #options: RoomOptions
  #bytes = 0
  #entries = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** @returns Whether there is room; whoever got it calls `release` when the totals count the entry, or it is given up. */
  reserve(bytes: number): Promise<boolean> {
    const result = this.#last.then(() => this.#make(bytes, 1))
    this.#last = result.catch(() => {})
    return result
  }

  release(bytes: number): void {
    this.#bytes -= bytes
    this.#entries -= 1
  }

  /** Goes back below the bound: it may have been lowered since the last start. */
  async trim(): Promise<void> {
    const result = this.#last.then(() => this.#make(0, 0))
    this.#last = result.catch(() => {})
    await result
  }

  async #make(bytes: number, entries: number): Promise<boolean> {
    const { maxBytes, maxEntries, totals, evict } = this.#options
    if (bytes > maxBytes || entries > maxEntries) return false
    for (;;) {
      const now = totals()
      if (now === undefined) return false
      const fits =
        now.bytes + this.#bytes + bytes <= maxBytes && now.entries + this.#entries + entries <= maxEntries
      if (fits) break
      if (!(await evict())) return false
    }
    this.#bytes += bytes
    this.#entries += entries
    return true
  }
}
