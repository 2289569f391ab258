import { SluiceError } from '../errors/index.ts'
import type { Zod } from './define.ts'

/** A colour, channels 0–255, alpha 0–1. */
export interface Colour {
  readonly r: number
  readonly g: number
  readonly b: number
  readonly alpha: number
}

// The CSS names that people type; every other colour has its hexadecimal form.
const NAMES: Readonly<Record<string, string>> = {
  aqua: '00ffff', black: '000000', blue: '0000ff', brown: 'a52a2a', coral: 'ff7f50', crimson: 'dc143c', cyan: '00ffff',
  fuchsia: 'ff00ff', gold: 'ffd700', gray: '808080', green: '008000', grey: '808080', indigo: '4b0082', ivory: 'fffff0',
  khaki: 'f0e68c', lavender: 'e6e6fa', lime: '00ff00', magenta: 'ff00ff', maroon: '800000', navy: '000080',
  olive: '808000', orange: 'ffa500', orchid: 'da70d6', pink: 'ffc0cb', plum: 'dda0dd', purple: '800080', red: 'ff0000',
  salmon: 'fa8072', sienna: 'a0522d', silver: 'c0c0c0', skyblue: '87ceeb', snow: 'fffafa', tan: 'd2b48c',
  teal: '008080', tomato: 'ff6347', transparent: '00000000', turquoise: '40e0d0', violet: 'ee82ee', wheat: 'f5deb3',
  white: 'ffffff', yellow: 'ffff00',
} // biome-ignore format: a table

/** Whether `text` names a colour: `rrggbb`, `rrggbbaa` or a CSS name. */
export function isColour(text: string): boolean {
  return /^(?:[0-9a-f]{6}|[0-9a-f]{8})$/i.test(text) || Object.hasOwn(NAMES, text.toLowerCase())
}

/** Schema of a colour option; what comes out is canonical. */
export function colourText(z: Zod) {
  return z
    .string()
    .refine(isColour, { error: 'expected "rrggbb[aa]" or a CSS name' })
    .transform(canonicalColour)
}

/**
 * Canonical text of a colour: lower case hexadecimal, alpha only when it is not full.
 *
 * @throws {SluiceError} `parameter-invalid`.
 */
export function canonicalColour(text: string): string {
  const lower = text.toLowerCase()
  const hex = Object.hasOwn(NAMES, lower) ? (NAMES[lower] as string) : lower
  if (!/^(?:[0-9a-f]{6}|[0-9a-f]{8})$/.test(hex)) {
    throw new SluiceError(
      'parameter-invalid',
      `Cannot read the colour "${text}": expected "rrggbb", "rrggbbaa" or a CSS name`,
    )
  }
  return hex.length === 8 && hex.endsWith('ff') ? hex.slice(0, 6) : hex
}

/** Channels of a colour; see `canonicalColour` for the text. */
export function parseColour(text: string): Colour {
  const hex = canonicalColour(text)
  const byte = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16)
  return { r: byte(0), g: byte(2), b: byte(4), alpha: hex.length === 8 ? byte(6) / 255 : 1 }
}
