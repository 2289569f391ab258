import { SluiceError } from '../../errors/index.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { malformed } from './malformed.ts'
import { decodeValue, encodeValue } from './percent.ts'

/** The scheme of a source with its slashes. */
const SCHEME = /^[a-z][a-z0-9]*:\/\//
/** A source with a scheme whose text is percent-encoded as a whole, slashes included. */
const WHOLE = /^[a-z][a-z0-9]*:%2F%2F[^/]*$/

/**
 * Reads the source of a URL.
 *
 * A path, a bucket key and `name:path` are percent-encoded segment by segment. An `http(s)` URL stands raw as long as it
 * holds no `%`, `?`, `#` or second `//`; any other is percent-encoded whole, or `b64:`, and decoded once. `e:` stays as
 * it is: it is decrypted when the signature has been checked.
 *
 * @param raw Everything after the recipe, as received.
 * @returns The source as text, such as `photos/cat.jpg`, `https://host/a.jpg?w=1`, `s3://bucket/key`, `e:…`.
 * @throws {SluiceError} `url-invalid` for any spelling but the canonical one; `source-forbidden` for `.` and `..`
 *   segments, NUL, and control characters or backslashes in a URL, which other readers drop or take for slashes.
 */
export function parseSource(raw: string): string {
  if (raw.startsWith('e:')) {
    if (!/^e:[A-Za-z0-9_-]+$/.test(raw)) throw malformed('the source after "e:" is no base64url')
    return raw
  }
  if (raw.startsWith('b64:')) return checked(decodeBase64(raw.slice('b64:'.length)))
  if (WHOLE.test(raw)) return checked(decodeValue(raw, 'source'))
  const scheme = SCHEME.exec(raw)?.[0] ?? ''
  const rest = raw.slice(scheme.length)
  if (rest.startsWith('/') || rest.includes('//'))
    throw malformed('"//" may only follow the scheme of a source')
  if (rest.includes('%2F')) throw malformed('a "/" of a source must not be percent-encoded')
  if (isWeb(scheme) && rest.includes('%'))
    throw malformed('a source URL with "%" is percent-encoded as a whole, or given as "b64:"')
  const segments = rest.split('/').map((segment) => decodeValue(segment, 'source'))
  return checked(scheme + segments.join('/'))
}

/** The spelling that `parseSource` reads as this text. */
export function formatSource(source: string): string {
  if (source.startsWith('e:')) return source
  const scheme = SCHEME.exec(source)?.[0] ?? ''
  const rest = source.slice(scheme.length)
  const segments = rest.split('/').map(encodeValue).join('/')
  const raw = !rest.startsWith('/') && !rest.includes('//') && !(isWeb(scheme) && segments.includes('%'))
  if (raw) return scheme + segments
  return scheme === '' ? `b64:${encodeBase64(source)}` : encodeValue(source)
}

function isWeb(scheme: string): boolean {
  return scheme === 'http://' || scheme === 'https://'
}

function checked(source: string): string {
  if (source === '') throw malformed('it names no source')
  // One spelling inside another would name the same source twice.
  if (/^(?:e|b64):/.test(source)) throw malformed('a source is encoded once')
  if (source.includes('\0')) throw new SluiceError('source-forbidden', 'Cannot use a NUL in source')
  const web = isWeb(SCHEME.exec(source)?.[0] ?? '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: URL parsers drop tabs and line ends, and read "\" as "/".
  if (web && (/[\x00-\x1f\x7f\\]/.test(source) || source.endsWith(' ')))
    throw new SluiceError(
      'source-forbidden',
      'Cannot read a source URL with control characters, "\\" or a last space',
    )
  const path = web ? source.replace(/[?#].*$/s, '').replace(/%2e/gi, '.') : source
  if (path.split('/').some((segment) => segment === '.' || segment === '..'))
    throw new SluiceError('source-forbidden', 'Cannot read a source with "." or ".." in its path')
  return source
}
