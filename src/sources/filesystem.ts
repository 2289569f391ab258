import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { SluiceError } from '../errors/index.ts'
import type { OpenedSource, Source } from './define.ts'
import type { SourcesOptions } from './options.ts'

const CHUNK_BYTES = 256 * 1024

/** Files under the default root (`photos/cat.jpg`) and named roots (`archive:1999/cat.jpg`). Nothing outside is ever read. */
export function createFilesystemSource({ root, roots }: Pick<SourcesOptions, 'root' | 'roots'>): Source {
  const folders = new Map([['default', root], ...Object.entries(roots)])
  return {
    kind: 'file',
    remote: false,
    // The plain root has two names.
    canonical: (ref) => ref.replace(/^default:/, ''),
    claims: (ref) => !/^[a-z][a-z0-9]*:\/\//.test(ref) && !ref.startsWith('data:') && !ref.startsWith('e:'),
    async open(ref, { signal, maxBytes }) {
      signal.throwIfAborted()
      const colon = ref.indexOf(':')
      const named = colon > 0 && folders.has(ref.slice(0, colon))
      const folder = folders.get(named ? ref.slice(0, colon) : 'default') as string
      const path = checkPath(named ? ref.slice(colon + 1) : ref)
      const base = await realpath(folder).catch(() => Promise.reject(notFound()))
      return openInside(base, path, maxBytes)
    },
  }
}

/** @throws {SluiceError} `source-forbidden` for anything but plain names joined by `/`. */
function checkPath(path: string): string {
  const segments = path.split('/')
  if (path.includes('\0') || path.includes('\\') || segments.includes('..') || segments.includes('.'))
    throw forbidden()
  if (path === '' || segments.includes('')) throw notFound()
  return path
}

async function openInside(base: string, path: string, maxBytes: number): Promise<OpenedSource> {
  // Non-blocking, so that a FIFO in the folder cannot hold the request.
  const handle = await open(join(base, path), constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'EACCES' || error.code === 'EPERM' ? forbidden(error) : notFound(error)
    },
  )
  try {
    // Asked of the opened file, not of the path: a link that is changed in between gains nothing.
    const real = await realPathOf(handle, join(base, path))
    if (!real.startsWith(base + sep)) throw forbidden()
    const stat = await handle.stat({ bigint: true })
    if (!stat.isFile()) throw notFound()
    if (stat.size > maxBytes)
      throw new SluiceError('source-too-large', `Cannot take a source of more than ${maxBytes} bytes`, {
        facts: { limit: 'bytes', max: maxBytes },
      })
    return {
      identity: `file:${real}:${stat.size}:${stat.mtimeNs}:${stat.ino}`,
      bytes: Number(stat.size),
      modified: stat.mtime,
      read: (signal) => readAll(handle, signal),
      readInto: async (targets) => (await handle.readv(targets)).bytesRead,
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function realPathOf(handle: FileHandle, path: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${handle.fd}`) : realpath(path)
}

async function* readAll(handle: FileHandle, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

function forbidden(cause?: unknown): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', { cause })
}

function notFound(cause?: unknown): SluiceError {
  return new SluiceError('source-not-found', 'Cannot find this source', { cause })
}
