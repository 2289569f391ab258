import * as promises from 'node:fs/promises'
import type { DiskFile, DiskFs } from '../../src/store/disk-files.ts'

/** Called before every operation of the file system; what it throws is what the operation answers. */
export type Fault = (operation: string, path: string) => void | Promise<void>

/** The real file system with faults put in front of it. */
export function faultyFs(fault: Fault): DiskFs {
  const real = promises as unknown as DiskFs
  const wrap = <A extends [string, ...unknown[]], R>(operation: string, call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await fault(operation, args[0])
      return call(...args)
    }
  }
  return {
    open: wrap('open', async (path, flags: string) => wrapFile(await real.open(path, flags), path, fault)),
    rename: wrap('rename', real.rename),
    unlink: wrap('unlink', real.unlink),
    mkdir: wrap('mkdir', real.mkdir),
    readdir: wrap('readdir', real.readdir),
    stat: wrap('stat', real.stat),
  }
}

/** An error as the file system throws it. */
export function fsError(code: string): Error {
  return Object.assign(new Error(`${code}: put in by a test`), { code })
}

function wrapFile(file: DiskFile, path: string, fault: Fault): DiskFile {
  const before = async <R>(operation: string, call: () => Promise<R>): Promise<R> => {
    await fault(operation, path)
    return call()
  }
  return {
    read: (...args) => before('read', () => file.read(...args)),
    readv: (...args) => before('readv', () => file.readv(...args)),
    writev: (buffers, position) =>
      before('writev', async () => {
        // Half now, the rest with the next call: a kill or a full disk may come in between.
        const [first] = buffers
        if (first === undefined || first.length < 2) return file.writev(buffers, position)
        return file.writev([first.subarray(0, first.length >> 1)], position)
      }),
    stat: () => before('fstat', () => file.stat()),
    sync: () => before('sync', () => file.sync()),
    async close() {
      await file.close()
      await fault('close', path)
    },
  }
}
