import { parseHttpDate } from './http-date.ts'

/** A strong entity tag. @param hash Text that names the bytes, such as SHA-256 in hexadecimal or base64url. */
export function etagOf(hash: string): string {
  return `"${hash}"`
}

/**
 * Whether `If-None-Match` names this entity tag, by the weak comparison.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
 */
export function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  // Tags may hold commas: the list is read by its quotes.
  const tags: readonly string[] = ifNoneMatch.match(/"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []
  return tags.includes(etag.replace(/^W\//, ''))
}

/** Conditional headers, as received. */
export interface Conditions {
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
}

/** What is known of the variant that would be sent. */
export interface Validators {
  readonly etag: string
  readonly modified?: Date | undefined
}

/**
 * Whether the client's copy is still good: answer 304. `If-None-Match` decides alone where it is given.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
export function isFresh(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  { etag, modified }: Validators,
): boolean {
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, etag)
  if (ifModifiedSince === undefined || modified === undefined) return false
  const since = parseHttpDate(ifModifiedSince)
  // HTTP dates are whole seconds; a file system knows better.
  return since !== undefined && Math.floor(modified.getTime() / 1000) * 1000 <= since
}
