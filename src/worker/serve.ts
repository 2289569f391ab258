import { readFileSync } from 'node:fs'
import type { Answer, Request } from '../engine/messages.ts'
import { readMessageSync, WORKER_FD, writeMessageSync } from '../engine/protocol.ts'
import { SluiceError } from '../errors/index.ts'
import { sharp } from './pixel-library.ts'

/** Answer and payload of one job. */
export interface Done {
  readonly answer: Answer
  readonly payload?: Uint8Array
}

/**
 * Takes jobs from the server, one at a time, until it closes the socket.
 *
 * Reading and writing block: between jobs there is nothing else to do, and during one nothing else arrives.
 */
export async function serve(
  run: (request: Request, payloads: readonly Buffer[]) => Promise<Done>,
): Promise<void> {
  writeMessageSync(WORKER_FD, { kind: 'ready', versions: versions(), payloads: [] } as Answer)
  for (;;) {
    const message = readMessageSync<Request>(WORKER_FD)
    if (message === undefined) return
    const { header, payloads } = message
    const { answer, payload } = await run(header, payloads).catch((error: unknown) => ({
      answer: toAnswer(header.id, error),
      payload: undefined,
    }))
    writeMessageSync(WORKER_FD, answer, payload === undefined ? [] : [payload])
  }
}

function versions(): Record<string, string> {
  const {
    vips,
    heif,
    aom,
    webp,
    mozjpeg,
    png,
    tiff,
    rsvg,
    sharp: own,
  } = sharp.versions as Record<string, string | undefined>
  const known = { sharp: own, vips, heif, aom, webp, mozjpeg, png, tiff, rsvg, node: process.versions.node }
  return Object.fromEntries(
    Object.entries(known).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function toAnswer(id: number, error: unknown): Answer {
  if (error instanceof SluiceError) {
    const { code, message, facts, internal } = error
    return {
      kind: 'error',
      id,
      code,
      detail: message,
      facts,
      ...(internal === undefined ? {} : { internal }),
      payloads: [],
    }
  }
  return {
    kind: 'error',
    id,
    code: 'internal',
    detail: 'The image worker failed',
    facts: {},
    internal: String((error as Error)?.stack ?? error).slice(0, 2000),
    payloads: [],
  }
}

/** Highest resident memory of this process so far, bytes. */
export function peakBytes(): number {
  try {
    const kb = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    if (kb !== undefined) return Number(kb) * 1024
  } catch {
    // No /proc here: the portable counter is next.
  }
  return process.resourceUsage().maxRSS * 1024
}
