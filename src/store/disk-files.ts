import { randomUUID } from 'node:crypto'
import * as promises from 'node:fs/promises'
import { join } from 'node:path'
import { type Head, PREFIX_BYTES, parseHead, parsePrefix } from './frame.ts'

/** What the disk store needs of an open file. */
export interface DiskFile {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>
  readv(buffers: Uint8Array[], position: number): Promise<{ readonly bytesRead: number }>
  writev(buffers: Uint8Array[], position: number): Promise<{ readonly bytesWritten: number }>
  stat(): Promise<{ readonly size: number; readonly mtimeMs: number }>
  sync(): Promise<void>
  close(): Promise<void>
}

/** What the disk store needs of a file system; tests put faults into it. */
export interface DiskFs {
  open(path: string, flags: string): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  mkdir(path: string, options: { readonly recursive: true }): Promise<unknown>
  readdir(path: string): Promise<string[]>
  stat(path: string): Promise<{ readonly mtimeMs: number }>
}

/** The frame of a file without its body. */
export interface FileHead extends Head {
  readonly size: number
  readonly digest: string
  readonly mtimeMs: number
}

/** Temporary files that this process is writing, over all stores. */
const live = new Set<string>()
/** No write takes so long; what is older was left by somebody who is gone. */
const STALE_TEMP_MS = 60_000

export const FAN_OUT = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** The files of a disk store: `objects/ab/<key>`, and `tmp/` for those that are being written. */
export class DiskFiles {
  readonly #folder: string
  readonly #fs: DiskFs
  readonly #sync: boolean

  constructor(
    folder: string,
    { fs = promises as DiskFs, sync }: { readonly fs?: DiskFs; readonly sync: boolean },
  ) {
    this.#folder = folder
    this.#fs = fs
    this.#sync = sync
  }

  /** @returns Path of a complete temporary file. @throws what the file system says; nothing is left then. */
  async writeTemp(parts: readonly Uint8Array[]): Promise<string> {
    // The process id tells a later start whether its writer is still there.
    const temp = join(this.#folder, 'tmp', `${process.pid}-${randomUUID()}`)
    live.add(temp)
    try {
      const file = await this.#making(join(this.#folder, 'tmp'), () => this.#fs.open(temp, 'wx'))
      try {
        await writeAll(file, parts)
        if (this.#sync) await file.sync()
      } finally {
        await file.close()
      }
      return temp
    } catch (error) {
      await this.discard(temp)
      throw error
    }
  }

  /** Puts a temporary file in its place, at once for every reader. */
  async publish(temp: string, key: string): Promise<void> {
    await this.#making(this.#folderOf(key), () => this.#fs.rename(temp, this.#pathOf(key)))
    live.delete(temp)
  }

  async discard(temp: string): Promise<void> {
    live.delete(temp)
    await this.#fs.unlink(temp).catch(() => {})
  }

  open(key: string): Promise<DiskFile> {
    return this.#fs.open(this.#pathOf(key), 'r')
  }

  /** The whole file if it has `size` bytes. @returns `undefined` when it is shorter or longer. */
  async read(key: string, size: number): Promise<Buffer | undefined> {
    const file = await this.open(key)
    try {
      // One byte more than expected shows a file that is too long without asking for its size.
      const bytes = Buffer.allocUnsafeSlow(size + 1)
      const length = await readFully(file, bytes, 0)
      return length === size ? bytes.subarray(0, size) : undefined
    } finally {
      // Nobody needs to wait for this, nor does anything follow from its failure.
      file.close().catch(() => {})
    }
  }

  /** @returns `undefined` when the file is none of ours. @throws what the file system says. */
  async readHead(key: string): Promise<FileHead | undefined> {
    const file = await this.open(key)
    try {
      return await readFileHead(file, key)
    } finally {
      file.close().catch(() => {})
    }
  }

  /** @returns Whether it was there. @throws what the file system says otherwise. */
  async unlink(key: string): Promise<boolean> {
    try {
      await this.#fs.unlink(this.#pathOf(key))
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** The first two digits of those keys that may have a file. */
  async folders(): Promise<Set<string>> {
    return new Set(await this.#list(join(this.#folder, 'objects')))
  }

  /** Keys with a file whose first two digits are `digits`. */
  async keys(digits: string): Promise<string[]> {
    const names = await this.#list(join(this.#folder, 'objects', digits))
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name) && name.startsWith(digits))
  }

  /** Removes what writers left that were killed. */
  async removeStaleTemps(): Promise<void> {
    for (const name of await this.#list(join(this.#folder, 'tmp'))) {
      const path = join(this.#folder, 'tmp', name)
      if (live.has(path)) continue
      const pid = Number(name.split('-', 1)[0])
      // Our own number on a file that we do not write: it was that of an earlier process, as in containers.
      if (pid !== process.pid && isRunning(pid) && !(await this.#isOld(path))) continue
      await this.#fs.unlink(path).catch(() => {})
    }
  }

  async #isOld(path: string): Promise<boolean> {
    const { mtimeMs } = await this.#fs.stat(path).catch(() => ({ mtimeMs: Date.now() }))
    return Date.now() - mtimeMs > STALE_TEMP_MS
  }

  async #list(folder: string): Promise<string[]> {
    try {
      return await this.#fs.readdir(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  /** Folders are made when they turn out to be missing: also after somebody emptied the cache by hand. */
  async #making<T>(folder: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#fs.mkdir(folder, { recursive: true })
      return task()
    }
  }

  #folderOf(key: string): string {
    return join(this.#folder, 'objects', key.slice(0, 2))
  }

  #pathOf(key: string): string {
    return join(this.#folderOf(key), key)
  }
}

/** Head of an open file; its lengths fit the size of the file, the checksum of the whole has not been tried. */
export async function readFileHead(file: DiskFile, key: string): Promise<FileHead | undefined> {
  const { size, mtimeMs } = await file.stat()
  const start = Buffer.alloc(PREFIX_BYTES)
  await readFully(file, start, 0)
  const prefix = parsePrefix(start)
  if (prefix === undefined || PREFIX_BYTES + prefix.headBytes + prefix.bodyBytes !== size) return undefined
  const bytes = Buffer.alloc(prefix.headBytes)
  await readFully(file, bytes, PREFIX_BYTES)
  const head = parseHead(bytes, prefix, key)
  return head && { ...head, size, mtimeMs, digest: prefix.digest }
}

/** As many bytes as there are, up to the length of `bytes`. */
export async function readFully(file: DiskFile, bytes: Uint8Array, position: number): Promise<number> {
  let at = 0
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return at
}

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? 'unknown')
}

/** `writev` takes at most 1024 parts (IOV_MAX) and may write less than it was given, on a full disk for one. */
async function writeAll(file: DiskFile, parts: readonly Uint8Array[]): Promise<void> {
  let position = 0
  let rest = parts.filter(({ length }) => length > 0)
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest.slice(0, 1024), position)
    if (bytesWritten === 0) throw Object.assign(new Error('Nothing was written'), { code: 'EIO' })
    position += bytesWritten
    rest = without(rest, bytesWritten)
  }
}

function without(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  return parts.flatMap((part) => {
    const cut = Math.min(left, part.length)
    left -= cut
    return cut === part.length ? [] : [part.subarray(cut)]
  })
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}
