import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyAddress, parseAddress, reachableWhenListed, sameAddress } from './address-guard.ts'

/*
 * A second table, written from the registries as first and last address, and a second way to look things up: numbers
 * instead of prefixes. Both agree, or one of them is wrong.
 */
const REFUSED_V4: readonly (readonly [number, number])[] = [
  [0x00_00_00_00, 0x00_ff_ff_ff],
  [0x0a_00_00_00, 0x0a_ff_ff_ff],
  [0x64_40_00_00, 0x64_7f_ff_ff],
  [0x7f_00_00_00, 0x7f_ff_ff_ff],
  [0xa8_3f_81_10, 0xa8_3f_81_10],
  [0xa9_fe_00_00, 0xa9_fe_ff_ff],
  [0xac_10_00_00, 0xac_1f_ff_ff],
  [0xc0_00_00_00, 0xc0_00_00_ff],
  [0xc0_00_02_00, 0xc0_00_02_ff],
  [0xc0_1f_c4_00, 0xc0_1f_c4_ff],
  [0xc0_34_c1_00, 0xc0_34_c1_ff],
  [0xc0_58_63_00, 0xc0_58_63_ff],
  [0xc0_a8_00_00, 0xc0_a8_ff_ff],
  [0xc0_af_30_00, 0xc0_af_30_ff],
  [0xc6_12_00_00, 0xc6_13_ff_ff],
  [0xc6_33_64_00, 0xc6_33_64_ff],
  [0xcb_00_71_00, 0xcb_00_71_ff],
  [0xe0_00_00_00, 0xff_ff_ff_ff],
]

const MAX_V6 = (1n << 128n) - 1n
const FIRST = 0x2000n << 112n
const LAST = (0x4000n << 112n) - 1n
/** Within 2000::/3; everything outside is refused. */
const REFUSED_V6: readonly (readonly [bigint, bigint])[] = [
  [0x2001_0000n << 96n, (0x2001_0200n << 96n) - 1n],
  [0x2001_0db8n << 96n, (0x2001_0db9n << 96n) - 1n],
  [0x2002n << 112n, (0x2003n << 112n) - 1n],
  [0x2620_004f_8000n << 80n, (0x2620_004f_8001n << 80n) - 1n],
  [0x3ffen << 112n, (0x3fffn << 112n) - 1n],
  [0x3fffn << 112n, (0x3fff_1000n << 96n) - 1n],
]

const refusedV4 = (value: number) => REFUSED_V4.some(([first, last]) => value >= first && value <= last)

function refusedV6(value: bigint): boolean {
  if (value < FIRST || value > LAST) return true
  const interfaceTop = Number((value >> 32n) & 0xffff_ffffn)
  if (interfaceTop === 0x0000_5efe || interfaceTop === 0x0200_5efe) return true
  return REFUSED_V6.some(([first, last]) => value >= first && value <= last)
}

function bytesV4(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

function bytesV6(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => Number((value >> BigInt(120 - 8 * at)) & 255n))
}

const allowed = (bytes: Uint8Array) => classifyAddress(bytes) === 'public'

describe('classifyAddress()', () => {
  test('[S-04] agrees with the registries at each end of each IPv4 range, one beside it included', () => {
    for (const edge of REFUSED_V4.flat())
      for (const value of [edge - 1, edge, edge + 1].filter((near) => near >= 0 && near <= 0xffff_ffff))
        expect([value.toString(16), allowed(bytesV4(value))]).toEqual([value.toString(16), !refusedV4(value)])
  })

  test('[S-04] agrees with the registries at each end of each IPv6 range, one beside it included', () => {
    for (const edge of [0n, MAX_V6, FIRST, LAST, ...REFUSED_V6.flat()])
      for (const value of [edge - 1n, edge, edge + 1n].filter((near) => near >= 0n && near <= MAX_V6))
        expect([value.toString(16), allowed(bytesV6(value))]).toEqual([value.toString(16), !refusedV6(value)])
  })

  test('[S-04] agrees with them on a million IPv4 addresses', () => {
    // Steps by an odd number over the whole space: every /8 gets its share, and a failure can be repeated.
    let value = 0x1234_5678
    let differences = 0
    for (let at = 0; at < 1_000_000; at++) {
      value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0
      if (allowed(bytesV4(value)) === refusedV4(value)) differences += 1
    }
    expect(differences).toBe(0)
  })

  test('[S-04] agrees with them on random IPv6 addresses, most of them near something refused', () => {
    const anywhere = fc.bigInt(0n, MAX_V6)
    const global = fc.bigInt(FIRST, LAST)
    const near = fc
      .tuple(fc.constantFrom(...REFUSED_V6.flat()), fc.bigInt(-(1n << 100n), 1n << 100n))
      .map(([edge, by]) => edge + by)
      .filter((value) => value >= 0n && value <= MAX_V6)
    const isatap = fc
      .tuple(global, fc.constantFrom(0x5efen, 0x0200_5efen, 0x0100_5efen, 0x5effn))
      .map(([value, top]) => (value & ~(0xffff_ffffn << 32n)) | (top << 32n))
    fc.assert(
      fc.property(
        fc.oneof(anywhere, global, near, isatap),
        (value) => allowed(bytesV6(value)) !== refusedV6(value),
      ),
      { numRuns: 20_000 },
    )
  })

  test.for([
    ['169.254.169.254', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['192.0.0.192', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['10.1.2.3', 'private'],
    ['fd00::1', 'private'],
    ['fe80::1', 'link-local'],
    ['::ffff:1.1.1.1', 'embedded'],
    ['::7f00:1', 'embedded'],
    ['64:ff9b::101:101', 'embedded'],
    ['2002:101:101::', 'embedded'],
    ['2607:f8b0::5efe:7f00:1', 'embedded'],
    ['ff02::1', 'multicast'],
    ['4000::1', 'special'],
    ['1.1.1.1', 'public'],
    ['2606:4700:4700::1111', 'public'],
  ] as const)('says of %s that it is %s', ([text, verdict]) => {
    expect(classifyAddress(parseAddress(text) as Uint8Array)).toBe(verdict)
  })

  test('refuses what is no address at all', () => {
    expect(classifyAddress(new Uint8Array(5))).toBe('special')
  })
})

describe('reachableWhenListed()', () => {
  test('never opens metadata services, link-local or multicast', () => {
    expect((['metadata', 'link-local', 'multicast', 'unspecified'] as const).some(reachableWhenListed)).toBe(
      false,
    )
    expect((['loopback', 'private', 'public'] as const).every(reachableWhenListed)).toBe(true)
  })
})

describe('sameAddress()', () => {
  test('compares bytes, not spellings', () => {
    expect(sameAddress('2606:4700::1', '2606:4700:0:0:0:0:0:1')).toBe(true)
    expect(sameAddress('::ffff:1.1.1.1', '1.1.1.1')).toBe(false)
    expect(sameAddress('fe80::1%eth0', 'fe80::1')).toBe(false)
  })
})
