import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { Meta } from './define.ts'

/** What the index knows of a file. */
export interface Row {
  readonly key: string
  /** Of the file, bytes. */
  readonly size: number
  /** What it takes of the bound, bytes. */
  readonly cost: number
  readonly digest: string
}

export interface Totals {
  readonly entries: number
  readonly bytes: number
}

/** Which entries to remove. */
export interface Where {
  readonly kind: 'key' | 'tag' | 'prefix'
  readonly text: string
}

/** Raise it when the tables change: an index of another version is built anew. */
const VERSION = 1

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS objects (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, cost INTEGER NOT NULL, digest TEXT NOT NULL,
    used_at INTEGER NOT NULL, meta TEXT NOT NULL, meta_sum INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS objects_used ON objects (used_at);
  CREATE TABLE IF NOT EXISTS tags (tag TEXT, key TEXT, PRIMARY KEY (tag, key)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tags_key ON tags (key);
  -- Purges while the index was being built: files that were not seen yet must not come back.
  CREATE TABLE IF NOT EXISTS purges (kind TEXT, text TEXT, PRIMARY KEY (kind, text)) WITHOUT ROWID;
  -- A sum over all rows would be a scan; triggers keep it exact for every process that shares the folder.
  CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 0), entries INTEGER, bytes INTEGER);
  INSERT OR IGNORE INTO totals VALUES (0, 0, 0);
  CREATE TRIGGER IF NOT EXISTS objects_added AFTER INSERT ON objects BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + new.cost;
  END;
  CREATE TRIGGER IF NOT EXISTS objects_changed AFTER UPDATE OF cost ON objects BEGIN
    UPDATE totals SET bytes = bytes + new.cost - old.cost;
  END;
  CREATE TRIGGER IF NOT EXISTS objects_removed AFTER DELETE ON objects BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - old.cost;
    DELETE FROM tags WHERE key = old.key;
  END;`

const SQL = {
  version: 'PRAGMA user_version',
  row: 'SELECT key, size, cost, digest FROM objects WHERE key = ?',
  meta: 'SELECT meta, meta_sum AS sum FROM objects WHERE key = ?',
  put: `INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET size = excluded.size, cost = excluded.cost, digest = excluded.digest,
      used_at = excluded.used_at, meta = excluded.meta, meta_sum = excluded.meta_sum`,
  untag: 'DELETE FROM tags WHERE key = ?',
  tag: 'INSERT OR IGNORE INTO tags VALUES (?, ?)',
  setMeta: 'UPDATE objects SET meta = ?, meta_sum = ? WHERE key = ?',
  use: 'UPDATE objects SET used_at = ? WHERE key = ?',
  remove: 'DELETE FROM objects WHERE key = ?',
  totals: 'SELECT entries, bytes FROM totals',
  oldest: 'SELECT key FROM objects ORDER BY used_at LIMIT ?',
  newest: 'SELECT max(used_at) AS used_at FROM objects',
  inFolder: 'SELECT key, used_at FROM objects WHERE key >= ? AND key < ?',
  withTag: 'SELECT key FROM tags WHERE tag = ? LIMIT ?',
  // 0xFF sorts after every byte of a UTF-8 text: the range is exactly what begins with the prefix.
  withPrefix: `SELECT DISTINCT key FROM tags WHERE tag >= ?1 AND tag < ?1 || CAST(x'FF' AS TEXT) LIMIT ?2`,
  addPurge: 'INSERT OR IGNORE INTO purges VALUES (?, ?)',
  purges: 'SELECT kind, text FROM purges',
} as const

/** The index of a disk store in SQLite. Every call is a few microseconds to a millisecond, and any may throw. */
export class DiskIndex {
  readonly #db: DatabaseSync
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>
  #complete = false

  /** @throws when it cannot be opened or is no index of ours. */
  constructor(path: string) {
    // A reader never waits (WAL); a writer that meets one of another process waits 50 ms at most: the event loop is ours.
    this.#db = new DatabaseSync(path, { timeout: 50 })
    try {
      this.#db.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 8000000',
      )
      this.#db.exec(`BEGIN IMMEDIATE; ${SCHEMA}; COMMIT`)
      const names = Object.keys(SQL) as (keyof typeof SQL)[]
      this.#statements = Object.fromEntries(
        names.map((name) => [name, this.#db.prepare(SQL[name])]),
      ) as Record<keyof typeof SQL, StatementSync>
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Whether every file that may be served has a row. Another process may bring that about. */
  get complete(): boolean {
    if (!this.#complete) {
      const { user_version } = this.#statements.version.get() as { user_version: number }
      this.#complete = user_version === VERSION
    }
    return this.#complete
  }

  setComplete(): void {
    this.transaction(() => this.#db.exec(`DELETE FROM purges; PRAGMA user_version = ${VERSION}`))
  }

  row(key: string): Row | undefined {
    return this.#statements.row.get(key) as Row | undefined
  }

  /** @throws {Error} when the facts are not those that were put. */
  meta(key: string): Meta | undefined {
    const found = this.#statements.meta.get(key) as { meta: string; sum: number } | undefined
    if (found === undefined) return undefined
    // SQLite checks its structure, not its values: a flipped bit in here would be served as a fact.
    if (crc32(key + found.meta) !== found.sum) throw new DamagedRow(key)
    return JSON.parse(found.meta) as Meta
  }

  /** Inserts or replaces. */
  put(
    row: Row,
    facts: { readonly meta: Meta; readonly tags: readonly string[]; readonly usedAt: number },
  ): void {
    const { key, size, cost, digest } = row
    const meta = JSON.stringify(facts.meta)
    this.transaction(() => {
      this.#statements.put.run(key, size, cost, digest, facts.usedAt, meta, crc32(key + meta))
      this.#statements.untag.run(key)
      for (const tag of facts.tags) this.#statements.tag.run(tag, key)
    })
  }

  setMeta(key: string, meta: Meta): void {
    const text = JSON.stringify(meta)
    this.#statements.setMeta.run(text, crc32(key + text), key)
  }

  setUsed(times: Iterable<readonly [key: string, usedAt: number]>): void {
    this.transaction(() => {
      for (const [key, usedAt] of times) this.#statements.use.run(usedAt, key)
    })
  }

  remove(key: string): void {
    this.#statements.remove.run(key)
  }

  totals(): Totals {
    return this.#statements.totals.get() as unknown as Totals
  }

  /** Least recently used first. */
  oldest(limit: number): string[] {
    return keysOf(this.#statements.oldest.all(limit))
  }

  lastUsedAt(): number {
    const { used_at } = this.#statements.newest.get() as { used_at: number | null }
    return used_at ?? 0
  }

  /** Keys that begin with these two digits, and when they were used. */
  inFolder(digits: string): Map<string, number> {
    // "g" sorts after every hexadecimal digit.
    const rows = this.#statements.inFolder.all(digits, `${digits}g`)
    return new Map(rows.map(({ key, used_at }) => [key as string, used_at as number]))
  }

  matching({ kind, text }: Where, limit: number): string[] {
    if (kind === 'key') return this.row(text) === undefined ? [] : [text]
    return keysOf(this.#statements[kind === 'tag' ? 'withTag' : 'withPrefix'].all(text, limit))
  }

  addPurge({ kind, text }: Where): void {
    this.#statements.addPurge.run(kind, text)
  }

  purges(): Where[] {
    return this.#statements.purges.all() as unknown as Where[]
  }

  /** All of it or nothing, with no other process in between. May be called within another one. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work()
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      // A full disk rolls back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }
}

/** The facts of one row are not those that were put. */
export class DamagedRow extends Error {
  readonly key: string

  constructor(key: string) {
    super(`The index holds damaged facts of "${key}"`)
    this.key = key
  }
}

/** Whether an entry with these tags is meant. */
export function isMeant({ kind, text }: Where, key: string, tags: readonly string[]): boolean {
  if (kind === 'key') return key === text
  return tags.some((tag) => (kind === 'tag' ? tag === text : tag.startsWith(text)))
}

function keysOf(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map(({ key }) => key as string)
}
