const HOUR_MS = 3_600_000
const MAX_ENTRIES = 10_000
/** Deaths after which an input is refused without a decode. */
const LIMIT = 2

/** Remembers inputs that killed their worker. Bounded; entries are forgotten after an hour. */
export class Strikes {
  readonly #entries = new Map<string, { count: number; until: number }>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  add(key: string): void {
    const now = this.#now()
    const before = this.#entries.get(key)
    const count = before === undefined || before.until < now ? 1 : before.count + 1
    this.#entries.delete(key)
    this.#entries.set(key, { count, until: now + HOUR_MS })
    if (this.#entries.size > MAX_ENTRIES)
      for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest)
  }

  /** Whether this input is refused. Its key is only asked for when there is anything to compare it with. */
  refuses(keyOf: () => string): boolean {
    if (this.#entries.size === 0) return false
    const key = keyOf()
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    if (entry.until < this.#now()) this.#entries.delete(key)
    return entry.until >= this.#now() && entry.count >= LIMIT
  }
}
