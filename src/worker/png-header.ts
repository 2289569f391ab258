import { inflateSync } from 'node:zlib'
import { SluiceError } from '../errors/index.ts'

const MAX_TEXT_CHUNKS = 100
const MAX_INFLATED = 4 * 1024 * 1024

/**
 * Refuses a PNG whose metadata is a bomb: too many text chunks, or compressed ones that inflate past 4 MiB.
 *
 * @throws {SluiceError} `image-broken`.
 * @see https://www.w3.org/TR/png-3/
 */
export function checkPngChunks(bytes: Buffer): void {
  let texts = 0
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const data = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + length))
    if (type === 'IDAT' || type === 'IEND') return
    if (type === 'tEXt' || type === 'zTXt' || type === 'iTXt') {
      texts += 1
      if (texts > MAX_TEXT_CHUNKS)
        throw new SluiceError(
          'image-broken',
          `Cannot decode a PNG with more than ${MAX_TEXT_CHUNKS} text chunks`,
        )
    }
    if (type === 'zTXt' || type === 'iCCP') checkInflated(data.subarray(data.indexOf(0) + 2), type)
    at += 12 + length
  }
}

function checkInflated(data: Buffer, type: string): void {
  try {
    inflateSync(data, { maxOutputLength: MAX_INFLATED })
  } catch (error) {
    // Broken compression is the decoder's to judge; only size is ours.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') return
    throw new SluiceError(
      'image-broken',
      `Cannot decode a PNG whose ${type} chunk inflates past ${MAX_INFLATED} bytes`,
      { cause: error },
    )
  }
}
