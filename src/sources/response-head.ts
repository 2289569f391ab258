import type { NotModified, Validators } from './define.ts'
import type { Head } from './exchange.ts'
import { readFreshness } from './freshness.ts'
import { OriginError } from './origin-error.ts'

const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** What a validator may hold to be sent back one day. */
const PRINTABLE = /^[\x20-\x7e]{1,1024}$/

/** What an answer is before its body is read. */
export type Meaning =
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'not-modified'; readonly answer: NotModified }
  | { readonly kind: 'body'; readonly bytes: number | undefined }

/**
 * Judges an answer by its headers alone.
 *
 * @param conditional Whether it was asked for with validators.
 * @throws {OriginError} `source-not-found`, `source-too-large`, `origin-failed`.
 */
export function judgeHead(head: Head, { conditional, maxBytes }: JudgeOptions): Meaning {
  const { status, headers, counts } = head
  if (REDIRECTS.has(status) && headers.location !== undefined) {
    if (counts.location !== 1) throw OriginError.malformed('more than one Location')
    return { kind: 'redirect', location: headers.location }
  }
  if (status === 304 && conditional)
    return { kind: 'not-modified', answer: { notModified: true, freshness: readFreshness(head) } }
  if (status === 404 || status === 410) throw OriginError.notFound(status)
  if (status !== 200)
    throw OriginError.failed('status', `the origin answered ${status}, expected 200`, {
      strike: status >= 500,
    })
  // Asked for `identity`: anything else would have to be unpacked, and could unpack to any size.
  const encoding = headers['content-encoding']?.toLowerCase()
  if (encoding !== undefined && encoding !== 'identity' && encoding !== '')
    throw OriginError.failed('encoding', 'the origin sent a content encoding that was not asked for', {
      internal: encoding.slice(0, 100),
    })
  return { kind: 'body', bytes: readLength(head, maxBytes) }
}

export interface JudgeOptions {
  readonly conditional: boolean
  readonly maxBytes: number
}

/** What the origin calls this version of its bytes; oversized or unprintable names are as good as none. */
export function readValidators({ headers }: Head): Validators {
  const etag = headers.etag ?? ''
  const lastModified = headers['last-modified'] ?? ''
  return {
    ...(PRINTABLE.test(etag) ? { etag } : {}),
    ...(PRINTABLE.test(lastModified) ? { lastModified } : {}),
  }
}

/** Validators as request headers. */
export function conditionalHeaders(known: Validators | undefined): Readonly<Record<string, string>> {
  const { etag = '', lastModified = '' } = known ?? {}
  return {
    ...(PRINTABLE.test(etag) ? { 'if-none-match': etag } : {}),
    ...(PRINTABLE.test(lastModified) ? { 'if-modified-since': lastModified } : {}),
  }
}

function readLength({ headers, counts }: Head, maxBytes: number): number | undefined {
  const text = headers['content-length']
  if (text === undefined) return undefined
  // RFC 9112 §6.3: two lengths, or a length beside a transfer coding, are how messages are smuggled.
  if (counts['content-length'] !== 1 || headers['transfer-encoding'] !== undefined)
    throw OriginError.malformed('more than one length')
  if (!/^\d{1,15}$/.test(text)) throw OriginError.malformed('a length that is no number')
  const bytes = Number(text)
  if (bytes > maxBytes) throw OriginError.tooLarge(maxBytes)
  return bytes
}
