import { createHash } from 'node:crypto'
import type { Entry, Store } from '../../src/store/index.ts'
import type { Telemetry } from '../../src/telemetry/index.ts'

/** The i-th key. */
export function keyOf(i: number): string {
  return createHash('sha256').update(`key ${i}`).digest('hex')
}

/** Bytes that tell one version of an entry from every other one. */
export function bytesOf(i: number, version: number, length = 3000): Buffer {
  const seed = createHash('sha512').update(`${i} ${version}`).digest()
  return Buffer.alloc(length, seed)
}

export function entryOf(
  i: number,
  { version = 0, length = 3000, tags = ['all'] as readonly string[] } = {},
): Entry {
  const bytes = bytesOf(i, version, length)
  const cut = Math.floor(length / 3)
  return { meta: { i, version, length }, chunks: [bytes.subarray(0, cut), bytes.subarray(cut)], tags }
}

/** All bytes of an entry by its `open`, or `undefined` for a miss; a damaged entry is a miss as well. */
export async function readOpened(store: Store, key: string, target = 1000): Promise<Buffer | undefined> {
  const entry = await store.open(key)
  if (entry === undefined) return undefined
  const parts: Buffer[] = []
  try {
    for (;;) {
      const targets = [Buffer.alloc(target), Buffer.alloc(target)]
      const length = await entry.readInto(targets)
      if (length === 0) break
      parts.push(Buffer.concat(targets).subarray(0, length))
    }
    const bytes = Buffer.concat(parts)
    return bytes.length === entry.bytes ? bytes : undefined
  } catch {
    return undefined
  } finally {
    await entry.close()
  }
}

/** Remembers what was counted. */
export function countingTelemetry(): Telemetry & {
  counted(name: string, labels?: Readonly<Record<string, string>>): number
  value(name: string): number | undefined
} {
  const counts: { name: string; labels: Readonly<Record<string, string>>; by: number }[] = []
  const gauges = new Map<string, number>()
  return {
    count: (name, labels = {}, by = 1) => void counts.push({ name, labels, by }),
    gauge: (name, value) => void gauges.set(name, value),
    observe() {},
    log() {},
    counted: (name, labels = {}) =>
      counts
        .filter((each) => each.name === name)
        .filter((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))
        .reduce((sum, { by }) => sum + by, 0),
    value: (name) => gauges.get(name),
  }
}
