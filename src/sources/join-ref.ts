import { SluiceError } from '../errors/index.ts'
import { RESERVED_NAMES } from './names.ts'

/**
 * A reference below a base. Below `https://…` each segment is percent-encoded, because there a path is text for a URL
 * parser; elsewhere it is taken as it stands.
 *
 * @param base Ends with `/` or `:`.
 * @param path Decoded.
 * @throws {SluiceError} `source-forbidden` for a path that would leave the base; `source-not-found` for an empty one.
 */
export function joinRef(base: string, path: string): string {
  if (/\p{Cc}/u.test(path) || !path.isWellFormed()) throw forbidden('the path has control characters')
  if (leaves(path)) throw forbidden('the path has a segment ".." or "."')
  if (path.startsWith('/') && !isHttp(base)) throw forbidden('the path begins with "/"')
  if (path === '') throw new SluiceError('source-not-found', 'Cannot find this source')
  if (!isHttp(base)) return base + path
  return base + path.replace(/^\/+/, '').split('/').map(encodeURIComponent).join('/')
}

/** Whether references may begin so: `s3://bucket/`, `https://host/folder/`, `name:`, `name:folder/`. */
export function isBase(text: string): boolean {
  if (/[\p{Cc}\\?#]/u.test(text) || leaves(text)) return false
  if (isHttp(text)) return /^https?:\/\/[^/@]+\/(?:.*\/)?$/.test(text) && URL.canParse(text)
  if (/^(?:s3|gs|az):\/\/[^/]+\/(?:[^/].*\/)?$/.test(text)) return true
  const [, name = ''] = /^([a-z][a-z0-9-]{0,31}):(?:[^/].*\/)?$/.exec(text) ?? []
  return name === 'default' || (name !== '' && !RESERVED_NAMES.includes(name))
}

/** Whether a reference is a URL of the web, whose path is percent-encoded. */
export function isHttp(ref: string): boolean {
  return /^https?:\/\//i.test(ref)
}

/** Whether a path climbs, in one of the spellings that URL parsers know. */
export function leaves(path: string): boolean {
  return path.split(/[/\\]/).some((part) => /^(?:\.|%2e){1,2}$/i.test(part))
}

function forbidden(internal: string): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', { internal })
}
