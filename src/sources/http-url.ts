import { isIP } from 'node:net'
import { OriginError } from './origin-error.ts'

/** An `http(s)` reference that passed the rules on text; whether its host may be asked is decided elsewhere. */
export interface HttpTarget {
  readonly secure: boolean
  /** Lower case, in ASCII, without a final dot; an address without brackets. */
  readonly name: string
  /** Whether `name` is an address. */
  readonly literal: boolean
  readonly port: number
  /** `https://img.example.com:8443`, the default port left out. */
  readonly origin: string
  /** Path and query as they are sent. */
  readonly path: string
  /** One text for all spellings. */
  readonly canonical: string
}

const MAX_LENGTH = 8192
// C0, space, DEL and backslash: parsers drop or reinterpret them, each in its own way.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const AMBIGUOUS = /[\u0000-\u0020\u007f\\]/
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^:[\]%]+)(?::(\d{1,5}))?$/i
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** Names that mean something only inside a network (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, ICANN). */
const RESERVED_SUFFIXES = new Set([
  'alt',
  'arpa',
  'consul',
  'corp',
  'home',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'mail',
  'onion',
  'private',
  'svc',
])

/**
 * Reads a reference: the raw text is judged first, then parsed once, and nothing is parsed again later.
 *
 * An address must be written the one canonical way, even a public one: every other spelling exists to get past a
 * filter. The fragment, the default port and one final dot of the name are dropped.
 *
 * @throws {OriginError} `source-forbidden`.
 * @see https://url.spec.whatwg.org/
 */
export function parseHttpUrl(text: string): HttpTarget {
  if (text.length > MAX_LENGTH) throw OriginError.denied('text', `${text.length} characters`)
  if (AMBIGUOUS.test(text)) throw OriginError.denied('text', 'control character, space or backslash')
  const [, scheme, authority] = /^(https?):\/\/([^/?#]+)/i.exec(text) ?? []
  if (scheme === undefined || authority === undefined) throw OriginError.denied('scheme', 'no http(s)://host')
  if (authority.includes('@')) throw OriginError.denied('userinfo', 'credentials in the URL')
  const [, host] = HOST_AND_PORT.exec(authority) ?? []
  if (host === undefined) throw OriginError.denied('text', 'no plain host and port')
  const url = parse(text)
  const { hostname } = url
  checkSpelling(host.toLowerCase(), hostname)
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const literal = isIP(bare) !== 0
  const name = literal ? bare : bare.replace(/\.$/, '')
  if (!literal && !isName(name)) throw OriginError.denied('name', `"${name}" is no host name`)
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  if (port === 0) throw OriginError.denied('port', 'port 0')
  const shown = literal ? hostname : name
  const origin = `${url.protocol}//${shown}${url.port === '' ? '' : `:${url.port}`}`
  const path = url.pathname + url.search
  return { secure, name, literal, port, origin, path, canonical: origin + path }
}

/** Why a name cannot belong to the public Internet; `undefined` when it can. */
export function privateName(name: string): string | undefined {
  const labels = name.split('.')
  // A single label is completed with the search domains of the machine.
  if (labels.length < 2) return 'a single label'
  const last = labels.at(-1) as string
  return RESERVED_SUFFIXES.has(last) ? `reserved suffix ".${last}"` : undefined
}

function parse(text: string): URL {
  try {
    return new URL(text)
  } catch {
    throw OriginError.denied('text', 'not a URL')
  }
}

/** @throws {OriginError} `source-forbidden` where the parser read another host than the one that is written. */
function checkSpelling(written: string, parsed: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the bounds of ASCII
  if (/^[\u0000-\u007f]+$/.test(written)) {
    if (written !== parsed) throw OriginError.denied('host', `"${written}" is read as "${parsed}"`)
    return
  }
  for (const letter of written) {
    if (letter > '\u007f' && /[0-9.\u3002\uff0e\uff61]/.test(letter.normalize('NFKC')))
      throw OriginError.denied('host', 'a letter that becomes a digit or a dot')
  }
}

function isName(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => LABEL.test(label))
}
