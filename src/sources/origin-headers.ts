/** Headers that the operator adds for one host, such as a token. */
export type OriginHeaders = ReadonlyMap<string, Readonly<Record<string, string>>>

const ENTRY = /^(?<host>[^|\s]+)\|(?<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(?<value>[\x20-\x7e]+)$/
/** What the fetch itself says, or what frames a message. */
const OWN = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'keep-alive',
  'proxy-authorization',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
])

/** What is wrong with an entry `host|Name: value`; `undefined` when nothing is. */
export function checkOriginHeader(entry: string): string | undefined {
  const name = ENTRY.exec(entry)?.groups?.name
  if (name === undefined) return 'expected host|Name: value'
  return OWN.has(name.toLowerCase()) ? `"${name}" is set by the fetch itself` : undefined
}

/** Entries `host|Name: value` by host; a host may have a port, and several headers. */
export function parseOriginHeaders(entries: readonly string[]): OriginHeaders {
  const headers = new Map<string, Record<string, string>>()
  for (const entry of entries) {
    const { host, name, value } = ENTRY.exec(entry)?.groups ?? {}
    if (host === undefined || name === undefined || value === undefined) continue
    const key = host.toLowerCase()
    headers.set(key, { ...headers.get(key), [name.toLowerCase()]: value })
  }
  return headers
}
