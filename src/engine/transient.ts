import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Dead buffers that may pile up before the collector is told; V8 by itself would wait for 64 MiB. */
const COLLECT_BYTES = 8 * 1024 * 1024

/** Every so many young collections a whole one takes what was alive in two of them. */
const MAJOR_EVERY = 8

let collect: ((options: { type: 'minor' | 'major' }) => void) | undefined
let passed = 0
let collections = 0

/**
 * Counts bytes that went through short-lived buffers: socket chunks and results. They lie outside of the
 * JavaScript heap, so V8 sees little reason to collect them, and a budget would be passed by garbage.
 */
export function noteTransient(bytes: number): void {
  passed += bytes
  if (passed < COLLECT_BYTES) return
  passed = 0
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as typeof collect
  }
  // A young collection takes about a millisecond; the dead chunks are young by nature.
  collections += 1
  collect?.({ type: collections % MAJOR_EVERY === 0 ? 'major' : 'minor' })
}
