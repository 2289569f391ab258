import type { Meta, OpenEntry } from './define.ts'
import { type DiskFile, readFully } from './disk-files.ts'
import { PREFIX_BYTES, parsePrefix, startDigest } from './frame.ts'

export interface DiskReaderOptions {
  readonly file: DiskFile
  /** Of the file, bytes. */
  readonly size: number
  /** The checksum that it must have. */
  readonly digest: string
  readonly meta: Meta
  /** The bytes were damaged (no error), or could not be read. */
  onBad(error?: unknown): Promise<void>
}

/**
 * An entry that is read piece by piece and checked on the way.
 *
 * @returns `undefined` when that can be told from the beginning of the file: it is damaged.
 * @throws what the file system says.
 */
export async function openDiskEntry(options: DiskReaderOptions): Promise<OpenEntry | undefined> {
  const { file, size, digest, meta, onBad } = options
  const start = Buffer.alloc(PREFIX_BYTES)
  await readFully(file, start, 0)
  const prefix = parsePrefix(start)
  if (prefix === undefined || prefix.digest !== digest) return undefined
  const bodyAt = PREFIX_BYTES + prefix.headBytes
  if (bodyAt + prefix.bodyBytes !== size || (await file.stat()).size !== size) return undefined
  const head = Buffer.alloc(prefix.headBytes)
  await readFully(file, head, PREFIX_BYTES)
  const hash = startDigest(start).update(head)
  if (prefix.bodyBytes === 0 && hash.copy().digest('hex') !== digest) return undefined

  let at = 0
  let failed = false
  const fail = async (error?: unknown): Promise<never> => {
    failed = true
    await onBad(error)
    throw new Error('Cannot read a stored entry: its bytes are not those that were put', { cause: error })
  }
  return {
    meta,
    bytes: prefix.bodyBytes,
    async readInto(targets) {
      if (failed) return fail()
      // IOV_MAX: one call takes no more.
      const views = clamp(targets, prefix.bodyBytes - at).slice(0, 1024)
      if (views.length === 0) return 0
      const { bytesRead } = await file.readv(views, bodyAt + at).catch((error: unknown) => fail(error))
      // Somebody shortened the file since it was opened.
      if (bytesRead === 0) return fail()
      for (const view of clamp(views, bytesRead)) hash.update(view)
      at += bytesRead
      if (at === prefix.bodyBytes && hash.digest('hex') !== digest) return fail()
      return bytesRead
    },
    close: () => file.close().catch(() => {}),
  }
}

/** The first `bytes` bytes of the targets. */
function clamp(targets: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  return targets.flatMap((target) => {
    const view = target.subarray(0, left)
    left -= view.length
    return view.length === 0 ? [] : [view]
  })
}
