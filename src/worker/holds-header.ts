import type { InputFormat } from '../recipe/index.ts'
import { readJpegHeader } from './jpeg-header.ts'

/** Whether the beginning of a file says all that a probe reads from the whole of it. */
export function holdsHeader(beginning: Buffer, format: InputFormat): boolean {
  switch (format) {
    case 'jpeg':
      return readJpegHeader(beginning).settled
    case 'png':
      return reachesPixels(beginning)
    default:
      return false
  }
}

/** Whether the first IDAT chunk begins here. @see https://www.w3.org/TR/png-3/#5Chunk-layout */
function reachesPixels(bytes: Buffer): boolean {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at))
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') return true
  return false
}
