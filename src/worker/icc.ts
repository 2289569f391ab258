/**
 * The description of an ICC profile, or `ICC` when it has none that can be read. Never throws.
 *
 * @see ICC.1:2022 §9.2.41 (profileDescriptionTag)
 */
export function iccName(profile: Buffer): string {
  const tags = profile.length >= 132 ? Math.min(profile.readUInt32BE(128), 100) : 0
  for (let i = 0; i < tags; i++) {
    const entry = 132 + i * 12
    if (entry + 12 > profile.length) break
    if (profile.toString('latin1', entry, entry + 4) !== 'desc') continue
    const at = profile.readUInt32BE(entry + 4)
    const tag = profile.subarray(at, at + Math.min(profile.readUInt32BE(entry + 8), 4096))
    return clean(descriptionText(tag)) || 'ICC'
  }
  return 'ICC'
}

function descriptionText(tag: Buffer): string {
  const type = tag.toString('latin1', 0, 4)
  if (type === 'desc' && tag.length > 12) return tag.toString('latin1', 12, 12 + tag.readUInt32BE(8))
  if (type === 'mluc' && tag.length >= 28) {
    const at = tag.readUInt32BE(24)
    const utf16 = Buffer.from(tag.subarray(at, at + (tag.readUInt32BE(20) & ~1)))
    return utf16.swap16().toString('utf16le')
  }
  return ''
}

function clean(text: string): string {
  return [...(text.split('\0')[0] ?? '')]
    .filter((char) => char >= ' ' && char !== '\u007f')
    .join('')
    .slice(0, 100)
}
