/**
 * `Link` to the one URL of a picture, for search engines and caches that know it under others.
 *
 * @param url Absolute; what a header or the brackets cannot hold is percent-encoded.
 * @see https://www.rfc-editor.org/rfc/rfc8288 https://www.rfc-editor.org/rfc/rfc6596
 */
export function canonicalLink(url: string): string {
  const safe = url.toWellFormed().replace(/[^\x21-\x7e]|[<>"]/gu, (char) => encodeURIComponent(char))
  return `<${safe}>; rel="canonical"`
}
