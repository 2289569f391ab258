import { codeOf, type DiskFiles, FAN_OUT, type FileHead } from './disk-files.ts'
import { type DiskIndex, isMeant, type Row } from './disk-index.ts'
import type { GuardedIndex } from './guarded-index.ts'

/** A row without a file is only removed when it is older: another process may be about to put the file there. */
const SETTLED_MS = 60_000

export interface ScanOptions {
  readonly files: DiskFiles
  readonly index: GuardedIndex
  /** Whether somebody writes or removes this key just now; the scan leaves it alone then. */
  isBusy(key: string): boolean
  costOf(size: number): number
  /** The same scale as in the index. */
  now(): number
  isStopped(): boolean
}

/**
 * Brings index and files together, folder by folder, while others use both.
 *
 * An index that is complete is believed: files that it does not know are removed. One that is being built takes them
 * up instead, except for what was purged in the meantime.
 *
 * @returns Whether it came to its end.
 * @throws what the file system says.
 */
export async function scanDisk(options: ScanOptions): Promise<boolean> {
  const { files, index } = options
  const complete = index.use('scan', (open) => open.complete)
  if (complete === undefined) return false
  // Counted from here, however long the scan takes: what is put meanwhile may be in a folder that is not in the list.
  const settled = options.now() - SETTLED_MS * 1000
  const folders = await files.folders()
  for (const digits of FAN_OUT) {
    if (options.isStopped()) return false
    const keys = folders.has(digits) ? await files.keys(digits) : []
    const known = index.use('scan', (open) => open.inFolder(digits))
    if (known === undefined) return false
    for (const key of keys) {
      if (known.delete(key) || options.isBusy(key)) continue
      if (options.isStopped()) return false
      if (!complete) await adopt(key, options)
      else if (index.use('scan', (open) => open.row(key) ?? null) === null) await files.unlink(key)
    }
    for (const [key, usedAt] of known) {
      if (usedAt < settled && !options.isBusy(key)) index.use('scan', (open) => open.remove(key) ?? null)
    }
  }
  return complete || index.use('scan', (open) => open.setComplete() ?? true) === true
}

/**
 * Gives a file that is not in the index its row.
 *
 * @returns `undefined` when it is damaged, foreign or purged, and removed for that, or not there at all.
 * @throws what the file system says.
 */
export async function adopt(key: string, options: ScanOptions): Promise<Row | undefined> {
  const { files, index } = options
  const head = await files.readHead(key).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
  if (head === null || options.isBusy(key)) return undefined
  const row = index.use('scan', (open) => open.transaction(() => adoptIn(open, key, head, options)))
  if (row === 'unwanted') await files.unlink(key)
  return typeof row === 'object' ? row : undefined
}

/** One transaction, so that no purge, of another process either, comes between the question and the row. */
function adoptIn(
  index: DiskIndex,
  key: string,
  head: FileHead | undefined,
  { costOf }: ScanOptions,
): Row | 'unwanted' | 'late' {
  const there = index.row(key)
  if (there !== undefined) return there
  // The list of purges ends with the building: from then on, a file without a row is one that was removed.
  if (index.complete) return 'late'
  if (head === undefined || wasPurged(index, key, head.tags)) return 'unwanted'
  const { size, digest, mtimeMs, meta, tags } = head
  const row = { key, size, digest, cost: costOf(size) }
  index.put(row, { meta, tags, usedAt: Math.floor(mtimeMs * 1000) })
  return row
}

function wasPurged(index: DiskIndex, key: string, tags: readonly string[]): boolean {
  return index.purges().some((where) => isMeant(where, key, tags))
}
