import { createHash } from 'node:crypto'
import { SluiceError } from '../errors/index.ts'
import type { Source } from './define.ts'

/** What an overlay in a URL may have: a URL has 8 KiB. */
const MAX_BYTES = 8192

/** `data:image/png;base64,…`: a picture in the URL itself, for overlays. The type that it claims is not looked at. @see https://www.rfc-editor.org/rfc/rfc2397 */
export function createDataSource(): Source {
  return {
    kind: 'data',
    remote: false,
    claims: (ref) => ref.startsWith('data:'),
    canonical: (ref) => `data:${createHash('sha256').update(ref).digest('hex')}`,
    async open(ref) {
      const bytes = bytesOf(ref)
      let read = false
      return {
        identity: `data:${createHash('sha256').update(bytes).digest('hex')}`,
        bytes: bytes.length,
        modified: undefined,
        async *read() {
          if (!read) yield bytes
          read = true
        },
        async close() {},
      }
    },
  }
}

/** @throws {SluiceError} `source-forbidden` for anything but base64 in the alphabet of RFC 4648 §4 or §5. */
function bytesOf(ref: string): Buffer {
  const text = /^data:[^,]{0,100};base64,([A-Za-z0-9+/_-]+={0,2})$/.exec(ref)?.[1]
  const bytes = Buffer.from(text ?? '', 'base64')
  if (bytes.length === 0 || bytes.length > MAX_BYTES)
    throw new SluiceError(
      'source-forbidden',
      'Cannot read this source: "data:" needs base64 of 1 to 8,192 bytes',
    )
  return bytes
}
