import { readFileSync } from 'node:fs'

const MOST = 10_000
/** File descriptors that are never given to clients of a listener: workers, files, logs, the admin listener. */
const RESERVE = 128
const LEAST = 16

/**
 * Connections that one listener may hold: fewer than the process may have files open, so that a flood of idle
 * clients is refused cleanly and the admin listener still answers.
 */
export function connectionCap(openFiles = maxOpenFiles()): number {
  return Math.min(MOST, Math.max(LEAST, openFiles - RESERVE))
}

/** The soft limit of this process; without /proc there is none known. */
function maxOpenFiles(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
