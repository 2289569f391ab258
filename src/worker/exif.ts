/** Facts of an EXIF block. Strings are cut at 200 characters. */
export interface ExifFacts {
  date?: string
  make?: string
  model?: string
  copyright?: string
  artist?: string
  gps?: { latitude: number; longitude: number }
}

const MAX_ENTRIES = 200

/**
 * Reads the few tags that are shown or kept. Never throws: what does not fit inside the block is skipped.
 *
 * @see CIPA DC-008 (EXIF 3.0), TIFF 6.0
 */
export function readExif(block: Buffer, { gps = false } = {}): ExifFacts {
  const start = block.toString('latin1', 0, 4) === 'Exif' ? 6 : 0
  const tiff = block.subarray(start)
  if (tiff.length < 8) return {}
  const order = tiff.toString('latin1', 0, 2)
  if (order !== 'II' && order !== 'MM') return {}
  const little = order === 'II'
  const u16 = (at: number) =>
    at + 2 > tiff.length ? 0 : little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at)
  const u32 = (at: number) =>
    at + 4 > tiff.length ? 0 : little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at)
  const entries = (directory: number): Map<number, number> => {
    const found = new Map<number, number>()
    if (directory === 0) return found
    const count = Math.min(u16(directory), MAX_ENTRIES)
    for (let i = 0; i < count; i++) found.set(u16(directory + 2 + i * 12), directory + 2 + i * 12)
    return found
  }
  const text = (entry: number | undefined): string | undefined => {
    if (entry === undefined || u16(entry + 2) !== 2) return undefined
    const count = Math.min(u32(entry + 4), 200)
    const at = u32(entry + 4) <= 4 ? entry + 8 : u32(entry + 8)
    const value = tiff
      .toString('utf8', at, Math.min(tiff.length, at + count))
      .split('\0')[0]
      ?.trim()
    return value === '' ? undefined : value
  }
  const degrees = (entry: number | undefined): number | undefined => {
    if (entry === undefined || u16(entry + 2) !== 5 || u32(entry + 4) !== 3) return undefined
    const at = u32(entry + 8)
    const [d = 0, m = 0, s = 0] = [0, 8, 16].map((offset) => u32(at + offset) / (u32(at + offset + 4) || 1))
    return d + m / 60 + s / 3600
  }
  const main = entries(u32(4))
  const pointer = (tag: number) => (main.has(tag) ? u32((main.get(tag) as number) + 8) : 0)
  const photo = entries(pointer(0x8769))
  const facts: ExifFacts = {}
  const date = text(photo.get(0x9003)) ?? text(main.get(0x0132))
  const iso = date === undefined ? null : /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)/.exec(date)
  if (iso !== null) facts.date = `${iso[1]}-${iso[2]}-${iso[3]}T${iso[4]}`
  for (const [key, tag] of [
    ['make', 0x010f],
    ['model', 0x0110],
    ['copyright', 0x8298],
    ['artist', 0x013b],
  ] as const) {
    const value = text(main.get(tag))
    if (value !== undefined) facts[key] = value
  }
  if (gps) {
    const place = entries(pointer(0x8825))
    const latitude = degrees(place.get(2))
    const longitude = degrees(place.get(4))
    if (latitude !== undefined && longitude !== undefined) {
      const sign = (tag: number, negative: string) => (text(place.get(tag)) === negative ? -1 : 1)
      const round = (value: number) => Math.round(value * 1e6) / 1e6
      facts.gps = { latitude: round(latitude * sign(1, 'S')), longitude: round(longitude * sign(3, 'W')) }
    }
  }
  return facts
}
