import type { OutputFormat } from '../recipe/index.ts'

const EXTENSIONS: Readonly<Record<OutputFormat, string>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  avif: 'avif',
  gif: 'gif',
  tiff: 'tiff',
}

export interface DispositionFacts {
  readonly format: OutputFormat
  /** Name without extension; asks for a download. */
  readonly filename?: string | undefined
}

/**
 * `Content-Disposition`: shown inline as `image.<ext>`, or saved under a name. The extension follows the bytes, never the
 * wish. A name beyond ASCII is given in both forms.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6266 https://www.rfc-editor.org/rfc/rfc8187
 *
 * @example
 * contentDisposition({ format: 'jpeg', filename: 'Kätzchen' })
 * // attachment; filename="K_tzchen.jpg"; filename*=UTF-8''K%C3%A4tzchen.jpg
 */
export function contentDisposition({ format, filename }: DispositionFacts): string {
  const name = `${filename ?? 'image'}.${EXTENSIONS[format]}`
  const kind = filename === undefined ? 'inline' : 'attachment'
  const plain = name.replace(/[^\x20-\x7e]|["\\%/]/gu, '_')
  const extended = plain === name ? '' : `; filename*=UTF-8''${extValue(name)}`
  return `${kind}; filename="${plain}"${extended}`
}

/** The value characters of RFC 8187 §3.2.1; `encodeURIComponent` leaves `'()*` beside them. */
function extValue(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
