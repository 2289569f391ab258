import { domainToASCII } from 'node:url'
import { SluiceError } from '../errors/index.ts'
import { classifyAddress, parseAddress, reachableWhenListed } from './address-guard.ts'
import { type HttpTarget, privateName } from './http-url.ts'

/** Which hosts may be read from: `SLUICE_HTTP_SOURCES` after parsing. */
export interface Hosts {
  /** Any host of the public Internet, on ports 80 and 443. */
  readonly anyPublic: boolean
  readonly listed: readonly ListedHost[]
}

/** One entry of the list. */
export interface ListedHost {
  /** Lower case, in ASCII; an address without brackets. */
  readonly name: string
  /** Stands for every name below `name`, not for itself. */
  readonly wildcard: boolean
  /** `undefined`: 80 and 443. */
  readonly port: number | undefined
}

/** `exact`: listed as `host:port`, so that it may lie in a network of the operator. */
export type HostVerdict = 'refused' | 'public' | 'exact'

export const noHosts: Hosts = { anyPublic: false, listed: [] }
export const publicHosts: Hosts = { anyPublic: true, listed: [] }

const SETTING = 'SLUICE_HTTP_SOURCES'

/**
 * Reads `SLUICE_HTTP_SOURCES`: `true`, `off`, `auto` or a comma list of hosts; `true` may be an item of the list.
 *
 * @param loopback Whether the service listens on loopback only; `auto` is `true` there and `off` elsewhere.
 * @throws {SluiceError} `config-invalid` with one line that names the entry.
 *
 * @example
 * parseHttpSources('*.example.com, minio.internal:9000', { loopback: false })
 */
export function parseHttpSources(text: string, { loopback }: { readonly loopback: boolean }): Hosts {
  const items = text.split(',').map((item) => item.trim())
  const [only] = items
  if (items.length === 1 && only === 'auto') return loopback ? publicHosts : noHosts
  if (items.length === 1 && (only === 'off' || only === 'false')) return noHosts
  const hosts = items.filter((item) => item !== 'true')
  return { anyPublic: hosts.length < items.length, listed: hosts.map(parseEntry) }
}

/** Whether `off` is all that the list says. */
export function isOff({ anyPublic, listed }: Hosts): boolean {
  return !anyPublic && listed.length === 0
}

/** What the list says of a host; its addresses are judged elsewhere. */
export function matchHost(hosts: Hosts, { name, port, literal }: HttpTarget): HostVerdict {
  const fits = hosts.listed.filter(
    (entry) =>
      (entry.port === undefined ? isDefaultPort(port) : entry.port === port) &&
      (entry.wildcard ? !literal && name.endsWith(`.${entry.name}`) : entry.name === name),
  )
  if (fits.some((entry) => !entry.wildcard && entry.port !== undefined)) return 'exact'
  return fits.length > 0 || (hosts.anyPublic && isDefaultPort(port)) ? 'public' : 'refused'
}

function isDefaultPort(port: number): boolean {
  return port === 80 || port === 443
}

function parseEntry(item: string): ListedHost {
  if (item === '') throw refuse(item, 'an entry is empty')
  if (item === 'off' || item === 'false' || item === 'auto') throw refuse(item, `"${item}" stands alone`)
  if (item.includes('/') || item.includes('@'))
    throw refuse(item, 'write the host alone, such as img.example.com or img.example.com:8443')
  const [, host, digits] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(item) ?? []
  if (host === undefined)
    throw refuse(item, 'expected host or host:port, an IPv6 address in brackets: [::1]:9000')
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && (port < 1 || port > 65_535)) throw refuse(item, 'the port must be 1 to 65535')
  const wildcard = host.startsWith('*.')
  const name = canonicalName(wildcard ? host.slice(2) : host)
  if (name === undefined)
    throw refuse(item, host === '*' ? 'write true for any public host' : 'it is no host name or address')
  checkReach(item, { name, wildcard, port })
  return { name, wildcard, port }
}

function canonicalName(host: string): string | undefined {
  if (host.startsWith('[')) {
    const bare = host.slice(1, -1)
    const bytes = parseAddress(bare)
    return bytes?.length === 16 ? new URL(`http://${host}/`).hostname.slice(1, -1) : undefined
  }
  if (parseAddress(host) !== undefined) return host
  const name = domainToASCII(host.replace(/\.$/, ''))
  const labels = name.split('.')
  // The parser turns every spelling of an IPv4 address into the usual one: who lists an address writes it that way.
  if (parseAddress(name) !== undefined || /^\d+$/.test(labels.at(-1) ?? '')) return undefined
  return labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) ? name : undefined
}

/** What a stranger's URL never reaches must be listed with its port, so that no other door opens with it. */
function checkReach(item: string, { name, wildcard, port }: ListedHost): void {
  const bytes = parseAddress(name)
  if (bytes === undefined) {
    if (wildcard && privateName(`any.${name}`) !== undefined)
      throw refuse(item, 'names of a private network are listed one by one, as host:port')
    if (wildcard || port !== undefined || privateName(name) === undefined) return
    throw refuse(item, `a name of a private network is listed with its port: ${name}:80`)
  }
  if (wildcard) throw refuse(item, 'an address has no wildcard')
  const verdict = classifyAddress(bytes)
  if (!reachableWhenListed(verdict)) throw refuse(item, 'this address is never read')
  if (verdict !== 'public' && port === undefined)
    throw refuse(item, `a private address is listed with its port: ${item}:80`)
}

function refuse(item: string, why: string): SluiceError {
  return new SluiceError('config-invalid', `${SETTING}: cannot use "${item}": ${why}`)
}
