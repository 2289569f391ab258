/** Chunks of a file that are walked before it is called broken elsewhere; real ones have fewer than ten. */
const MAX_CHUNKS = 64

/**
 * Whether the first frame of a WebP is coded without loss (`VP8L`). Only lossy ones can be decoded smaller.
 *
 * @see RFC 9649
 */
export function isLosslessWebp(bytes: Buffer): boolean {
  let at = 12
  for (let chunk = 0; chunk < MAX_CHUNKS && at + 8 <= bytes.length; chunk++) {
    const kind = bytes.toString('latin1', at, at + 4)
    if (kind === 'VP8L') return true
    if (kind === 'VP8 ') return false
    // A frame of an animation holds its picture's chunks after 16 bytes of its own.
    const length = bytes.readUInt32LE(at + 4)
    at += kind === 'ANMF' ? 8 + 16 : 8 + length + (length % 2)
  }
  return false
}
