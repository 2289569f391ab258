/** What a walk over the markers of a JPEG finds. */
export interface JpegHeader {
  /** SOS markers. Each one is a run over the picture, whatever its size. */
  readonly scans: number
  /** SOF2 or another progressive frame. */
  readonly progressive: boolean
  /** Sampling factors of the first component, `2x2` for 4:2:0. */
  readonly sampling: string
  /** Nothing that follows can change this: one scan holds the whole picture, so that no other is ever read. */
  readonly settled: boolean
}

/** Walks the markers; stops quietly where the file breaks off. @see ITU-T T.81 annex B */
export function readJpegHeader(bytes: Buffer): JpegHeader {
  let scans = 0
  let progressive = false
  let sampling = ''
  let components = 0
  let at = 2
  while (at + 4 <= bytes.length) {
    at = bytes.indexOf(0xff, at)
    if (at < 0 || at + 1 >= bytes.length) break
    const marker = bytes[at + 1] as number
    // Stuffed bytes, fill bytes and restart markers carry no segment.
    if (marker === 0x00 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd8) || marker === 0x01) {
      at += marker === 0xff ? 1 : 2
      continue
    }
    if (marker === 0xd9 || at + 4 > bytes.length) break
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      components = bytes[at + 9] ?? 0
      progressive = marker === 0xc2 || marker === 0xc6 || marker === 0xca || marker === 0xce
      const factors = bytes[at + 11] ?? 0
      sampling = `${factors >> 4}x${factors & 15}`
    }
    if (marker === 0xda) {
      scans += 1
      // libjpeg keeps coefficients for later scans only if the first one lacks a component.
      if (scans === 1 && !progressive && components > 0 && bytes[at + 4] === components)
        return { scans, progressive, sampling, settled: true }
    }
    at += 2 + bytes.readUInt16BE(at + 2)
  }
  return { scans: Math.max(1, scans), progressive, sampling, settled: false }
}
