import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Why an address is refused; `public` is the only verdict that lets a stranger's URL through. */
export type AddressVerdict =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'special'
  | 'embedded'

type Range = readonly [prefix: string, bits: number, verdict: Exclude<AddressVerdict, 'public'>]

/**
 * Refused IPv4 ranges; the first that fits decides. The special-purpose registry of IANA, and addresses that look
 * public but belong to the machine room of a cloud.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 */
const IPV4: readonly Range[] = [
  ['169.254.169.254', 32, 'metadata'],
  ['169.254.170.2', 32, 'metadata'], // credentials of container tasks
  ['169.254.170.23', 32, 'metadata'], // credentials of pods
  ['169.254.0.23', 32, 'metadata'],
  ['168.63.129.16', 32, 'metadata'], // the wire server of Azure, in public space
  ['100.100.100.200', 32, 'metadata'],
  ['192.0.0.192', 32, 'metadata'],
  ['0.0.0.0', 8, 'unspecified'], // reaches the local host on Linux
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'special'],
  ['192.0.2.0', 24, 'special'],
  ['192.31.196.0', 24, 'special'],
  ['192.52.193.0', 24, 'special'],
  ['192.88.99.0', 24, 'special'],
  ['192.168.0.0', 16, 'private'],
  ['192.175.48.0', 24, 'special'],
  ['198.18.0.0', 15, 'special'],
  ['198.51.100.0', 24, 'special'],
  ['203.0.113.0', 24, 'special'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'special'],
]

/**
 * Refused IPv6 ranges. Only 2000::/3 is handed out to the Internet: whatever no row names and lies outside of it is
 * refused as well, so that a range the registry gains tomorrow is refused today.
 *
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
const IPV6: readonly Range[] = [
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['::ffff:0:0', 96, 'embedded'], // IPv4-mapped
  ['::ffff:0:0:0', 96, 'embedded'], // IPv4-translated
  ['::', 96, 'embedded'], // IPv4-compatible
  ['64:ff9b::', 96, 'embedded'], // NAT64
  ['64:ff9b:1::', 48, 'embedded'], // NAT64 of one network
  ['fd00:ec2::254', 128, 'metadata'],
  ['fd20:ce::254', 128, 'metadata'],
  ['fd00:c1::a9fe:a9fe', 128, 'metadata'],
  ['fc00::', 7, 'private'],
  ['fec0::', 10, 'private'],
  ['fe80::', 10, 'link-local'],
  ['ff00::', 8, 'multicast'],
  ['2001::', 23, 'special'], // Teredo, ORCHID, benchmarking and all else that protocols were given
  ['2001:db8::', 32, 'special'],
  ['2002::', 16, 'embedded'], // 6to4
  ['2620:4f:8000::', 48, 'special'],
  ['3ffe::', 16, 'special'],
  ['3fff::', 20, 'special'],
]

const TABLES = { 4: compile(IPV4), 16: compile(IPV6) } as const

/**
 * What kind of place an address is.
 *
 * Works on the bytes that a packet would carry, never on a spelling of them.
 *
 * @param bytes 4 or 16 bytes, network order.
 */
export function classifyAddress(bytes: Uint8Array): AddressVerdict {
  const table = TABLES[bytes.length as 4 | 16] ?? []
  for (const { prefix, bits, verdict } of table) if (startsWith(bytes, prefix, bits)) return verdict
  if (bytes.length === 4) return 'public'
  if (bytes.length !== 16 || ((bytes[0] as number) & 0xe0) !== 0x20) return 'special'
  // ISATAP (RFC 5214) carries an IPv4 address in the interface part of any prefix; the flag bit may be set or not.
  const isatap =
    ((bytes[8] as number) & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe
  return isatap ? 'embedded' : 'public'
}

/** Bytes of an address in text, 4 or 16; `undefined` for anything else, zones included. */
export function parseAddress(text: string): Uint8Array | undefined {
  // A zone picks an interface of this machine: no public address has one.
  if (isIP(text) === 0 || text.includes('%')) return undefined
  return Uint8Array.from(ipaddr.parse(text).toByteArray())
}

/** Whether two texts name the same address. */
export function sameAddress(a: string, b: string): boolean {
  const [left, right] = [parseAddress(a), parseAddress(b)]
  return left !== undefined && right !== undefined && Buffer.compare(left, right) === 0
}

/**
 * Whether an address may be read when the operator lists its host and port exactly: his own networks, but never a
 * metadata service or an address that is no single machine.
 */
export function reachableWhenListed(verdict: AddressVerdict): boolean {
  return verdict === 'public' || verdict === 'loopback' || verdict === 'private'
}

interface Compiled {
  readonly prefix: Uint8Array
  readonly bits: number
  readonly verdict: AddressVerdict
}

function compile(ranges: readonly Range[]): readonly Compiled[] {
  return ranges.map(([text, bits, verdict]) => ({ prefix: parseAddress(text) as Uint8Array, bits, verdict }))
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== prefix[at]) return false
  const mask = (0xff00 >> (bits & 7)) & 0xff
  return ((bytes[whole] ?? 0) & mask) === ((prefix[whole] ?? 0) & mask)
}
