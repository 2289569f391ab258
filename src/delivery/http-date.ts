const IMF = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/

/**
 * An HTTP date in one of its three forms; two digits of a year are 1970–2069.
 *
 * @returns Unix ms, or `undefined` for anything else.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 */
export function parseHttpDate(text: string): number | undefined {
  const time = Date.parse(inImf(text))
  return Number.isNaN(time) ? undefined : time
}

function inImf(text: string): string {
  if (IMF.test(text)) return text
  const [, day, month, year = '', time] = RFC_850.exec(text) ?? []
  if (day !== undefined) return `${day} ${month} ${Number(year) < 70 ? 20 : 19}${year} ${time} GMT`
  const [, name, date, clock, full] = ASCTIME.exec(text) ?? []
  return name === undefined ? '' : `${date} ${name} ${full} ${clock} GMT`
}
