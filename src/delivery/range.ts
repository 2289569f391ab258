import type { Validators } from './etag.ts'
import { parseHttpDate } from './http-date.ts'

/** What part of the bytes is asked for; `from` and `to` are both included. */
export type ByteRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'unsatisfiable' }

export interface RangeContext extends Validators {
  /** `If-Range`, as received. */
  readonly ifRange?: string | undefined
  /** Bytes of the whole. */
  readonly length: number
}

/**
 * Reads a `Range` header. One range of bytes is honoured; several, other units and malformed ones give the whole, and so
 * does an `If-Range` that does not fit (strong comparison, or exactly the date that was sent).
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function parseRange(
  header: string | undefined,
  { ifRange, etag, modified, length }: RangeContext,
): ByteRange {
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '') ?? []
  if (first === '' && last === '') return { kind: 'whole' }
  if (ifRange !== undefined && !isSame(ifRange.trim(), { etag, modified })) return { kind: 'whole' }
  if (first === '') {
    const count = Math.min(Number(last), length)
    return count === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', from: length - count, to: length - 1 }
  }
  const from = Number(first)
  if (last !== '' && Number(last) < from) return { kind: 'whole' }
  if (from >= length) return { kind: 'unsatisfiable' }
  return { kind: 'part', from, to: last === '' ? length - 1 : Math.min(Number(last), length - 1) }
}

/** `Content-Range` of a part, or of the refusal (416). */
export function contentRange(range: Exclude<ByteRange, { kind: 'whole' }>, length: number): string {
  return range.kind === 'part' ? `bytes ${range.from}-${range.to}/${length}` : `bytes */${length}`
}

function isSame(ifRange: string, { etag, modified }: Validators): boolean {
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) return ifRange === etag && !etag.startsWith('W/')
  return modified !== undefined && parseHttpDate(ifRange) === Math.floor(modified.getTime() / 1000) * 1000
}
