import type { InputFormat } from './probe.ts'

/** What the first bytes say: a format that can be read, or the name of one that is recognised and refused. */
export type Sniffed = { readonly format: InputFormat } | { readonly unsupported: string }

/** Magic numbers of formats that are recognised only to be named. */
const REFUSED: readonly (readonly [name: string, hex: string, offset?: number])[] = [
  ['gzip (svgz)', '1f8b'],
  ['jxl', 'ff0a'],
  ['jxl', '0000000c4a584c200d0a870a'],
  ['jp2', '0000000c6a5020200d0a870a'],
  ['jp2', 'ff4fff51'],
  ['pdf', '255044462d'],
  ['postscript', '25215053'],
  ['postscript', 'c5d0d3c6'],
  ['psd', '38425053'],
  ['ico', '000001000'],
  ['cur', '000002000'],
  ['dds', '444453207c'],
  ['exr', '762f3101'],
  ['hdr', '233f52414449414e4345'],
  ['hdr', '233f52474245'],
  ['jxr', '4949bc'],
  ['qoi', '716f6966'],
  ['xcf', '67696d7020786366'],
  ['fits', '53494d504c4520203d'],
  ['dicom', '4449434d', 128],
  ['djvu', '41542654464f524d'],
  ['vips', '08f2a6b6'],
  ['vips', 'b6a6f208'],
  ['miff', '69643d496d6167654d616769636b'],
  ['zip', '504b0304'],
  ['zip', '504b0506'],
  ['rar', '526172211a07'],
  ['7z', '377abcaf271c'],
  ['video', '1a45dfa3'],
  ['video', '464c5601'],
  ['elf', '7f454c46'],
]

/**
 * Recognises a format by its content; names and content types are never looked at.
 *
 * @param head The first bytes, up to 4 KiB; more do not change the answer.
 * @returns `undefined` for bytes that are no known image or container.
 */
export function sniff(head: Uint8Array): Sniffed | undefined {
  if (starts(head, 'ffd8ff')) return { format: 'jpeg' }
  if (starts(head, '89504e470d0a1a0a')) return { format: 'png' }
  if (starts(head, '474946383761') || starts(head, '474946383961')) return { format: 'gif' }
  if (starts(head, '52494646'))
    return text(head, 8, 12) === 'WEBP' ? { format: 'webp' } : { unsupported: 'riff' }
  if (
    starts(head, '49492a00') ||
    starts(head, '4d4d002a') ||
    starts(head, '49492b00') ||
    starts(head, '4d4d002b')
  ) {
    return { format: 'tiff' }
  }
  if (text(head, 4, 8) === 'ftyp') return isobmff(head)
  const refused = REFUSED.find(([, hex, offset = 0]) => starts(head, hex, offset))
  if (refused !== undefined) return { unsupported: refused[0] }
  if (text(head, 0, 2) === 'BM' && head.length >= 26) return { unsupported: 'bmp' }
  if (text(head, 0, 2) === 'MZ') return { unsupported: 'exe' }
  if (/^P[1-7]\s/.test(text(head, 0, 3))) return { unsupported: 'pnm' }
  return markup(head)
}

/** @see ISO/IEC 14496-12 §4.3 (file type box) and 23000-22 (MIAF brands) */
function isobmff(head: Uint8Array): Sniffed {
  const size = Math.min(head.length, Math.max(16, ((head[2] ?? 0) << 8) | (head[3] ?? 0)))
  const brands = [text(head, 8, 12)]
  for (let at = 16; at + 4 <= size; at += 4) brands.push(text(head, at, at + 4))
  const has = (...wanted: string[]) => wanted.some((brand) => brands.includes(brand))
  // Image sequences have their own brands; only what carries a still as primary item is read.
  if (brands[0] === 'avis') return { unsupported: 'avif sequence' }
  if (has('avif') || (brands[0] === 'mif1' && has('MA1A', 'MA1B')) || brands[0] === 'avis')
    return { format: 'avif' }
  if (has('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1', 'heif'))
    return { unsupported: 'heic' }
  return { unsupported: 'video' }
}

function markup(head: Uint8Array): Sniffed | undefined {
  const utf16 = starts(head, 'fffe') ? 'utf-16le' : starts(head, 'feff') ? 'utf-16be' : undefined
  const decoded = new TextDecoder(utf16 ?? 'utf-8').decode(head.subarray(0, 4096))
  let rest = decoded.replace(/^\uFEFF/, '').trimStart()
  // Prolog, comments, doctype and processing instructions may stand before the root element.
  for (;;) {
    const skipped = rest.replace(/^(?:<\?[^>]*\?>|<!--[\s\S]*?-->|<!DOCTYPE(?:[^>[]|\[[\s\S]*?\])*>)\s*/i, '')
    if (skipped === rest) break
    rest = skipped
  }
  if (/^<(?:[a-zA-Z_][\w.-]*:)?svg[\s>/]/.test(rest))
    return utf16 === undefined ? { format: 'svg' } : { unsupported: 'svg in utf-16' }
  // A comment longer than the window hides the root: an XML prolog or comment is still most likely an SVG here.
  if (/^<!--/.test(rest) && !rest.includes('-->')) return { format: 'svg' }
  if (/^<(?:html|!doctype html|head|body|script)/i.test(rest)) return { unsupported: 'html' }
  if (/^push graphic-context/.test(rest)) return { unsupported: 'mvg' }
  return undefined
}

function starts(head: Uint8Array, hex: string, offset = 0): boolean {
  const count = Math.floor(hex.length / 2)
  if (head.length < offset + count) return false
  for (let i = 0; i < count; i++)
    if (head[offset + i] !== Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)) return false
  return true
}

function text(head: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...head.subarray(from, to))
}
