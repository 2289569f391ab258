import { crc32, deflateSync } from 'node:zlib'

export interface PngChunks {
  /** Plain text chunks. */
  readonly texts?: number
  /** One compressed text that inflates to so many bytes. */
  readonly inflated?: number
  /** ICC profile. */
  readonly profile?: Buffer
}

/** The PNG with further chunks behind its header. */
export function pngWith(png: Buffer, { texts = 0, inflated = 0, profile }: PngChunks): Buffer {
  const headerEnd = 8 + 25
  const extra = [
    ...(profile === undefined
      ? []
      : [chunk('iCCP', Buffer.concat([Buffer.from('p\0\0'), deflateSync(profile)]))]),
    ...Array.from({ length: texts }, (_, i) => chunk('tEXt', Buffer.from(`Key${i}\0value`))),
    ...(inflated === 0
      ? []
      : [chunk('zTXt', Buffer.concat([Buffer.from('Key\0\0'), deflateSync(Buffer.alloc(inflated, 0x41))]))]),
  ]
  return Buffer.concat([png.subarray(0, headerEnd), ...extra, png.subarray(headerEnd)])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8 + body.length)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), 4 + body.length)
  return frame
}
