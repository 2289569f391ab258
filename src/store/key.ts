import { createHash } from 'node:crypto'

/**
 * Key of whatever `parts` say: equal parts give equal keys, different parts different ones.
 *
 * Order of properties does not matter, `undefined` properties count as absent, lists keep their order. The text that
 * is hashed is JSON with sorted names, which no two different values share; a value that JSON would change in
 * silence (`NaN`, a `Map`, a function) is refused instead.
 *
 * @returns 64 lower-case hexadecimal digits.
 * @throws {TypeError} when a part is not plain data.
 *
 * @example
 * storeKey({ pipeline: 3, source: 'file:a.jpg', recipe: '{}' })
 */
export function storeKey(parts: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(canonical(parts)).digest('hex')
}

function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  // -0 and 0 are one number in JSON and in every recipe.
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  // A name that no string, number or object starts with: 1n and "1" stay apart.
  if (typeof value === 'bigint') return `n${value}`
  if (Array.isArray(value)) return `[${Array.from(value, canonical).join(',')}]`
  if (typeof value === 'object' && isPlain(value)) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
  }
  throw new TypeError(`Cannot make a key of a value of type "${typeof value}": it is not plain data`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
