import { SluiceError } from '../errors/index.ts'
import type { UrlKeyCodec } from './define.ts'

/** A canonical decimal: no leading zeros, no exponent, no trailing zeros, no minus zero. */
export const CANONICAL_NUMBER = /^(?:0|-?(?:[1-9]\d*|0(?=\.))(?:\.\d*[1-9])?)$/

/**
 * Reads a canonical decimal of a URL value.
 *
 * @param what The key, for the message.
 * @throws {SluiceError} `parameter-invalid` for any other spelling of the number.
 */
export function readNumber(text: string, what: string): number {
  if (!CANONICAL_NUMBER.test(text) || text.length > 20) {
    throw new SluiceError(
      'parameter-invalid',
      `Cannot read ${what} "${clip(text)}": expected a plain decimal such as "12" or "0.5"`,
    )
  }
  return Number(text)
}

/** A number as the one text that `readNumber` accepts for it. */
export function writeNumber(value: number): string {
  const text = value.toFixed(6).replace(/\.?0+$/, '')
  return text === '-0' ? '0' : text
}

/** Client text for a message: never longer than 60 characters. */
export function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

/** A key whose value is a number and, after a colon, a colour: `12:ffffff`. */
export function numberAndColour(key: string, number: string, colour: string): UrlKeyCodec {
  return {
    params: [number, colour],
    form: `${number} or ${number}:colour`,
    read(text) {
      const [first = '', ...rest] = text.split(':')
      return {
        [number]: readNumber(first, `"${key}"`),
        ...(rest.length === 0 ? {} : { [colour]: rest.join(':') }),
      }
    },
    write: ({ [number]: value, [colour]: text }) =>
      value === undefined
        ? undefined
        : `${writeNumber(value as number)}${text === undefined ? '' : `:${text}`}`,
  }
}
