import { SluiceError } from '../../errors/index.ts'
import { clip } from '../../operations/index.ts'
import type { Delivery } from '../../recipe/index.ts'
import { malformed } from './malformed.ts'
import { decodeValue, encodeValue } from './percent.ts'

/** Keys before the signature, in the one order in which they may stand. */
const KEYS = ['exp', 'v', 'dl', 'redirect', 'store']

/**
 * Reads the query without signature or policy: each key once, in its place.
 *
 * @throws {SluiceError} `parameter-unknown`, `parameter-duplicate`, `parameter-invalid`; `url-invalid` for keys in
 *   another order.
 */
export function parseQuery(query: string): Delivery {
  if (query === '') return {}
  const delivery: { filename?: string; version?: string } = {}
  let last = -1
  const seen = new Set<string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    const rank = KEYS.indexOf(name)
    if (rank < 0)
      throw new SluiceError(
        'parameter-unknown',
        `Unknown query key "${clip(name)}": known are ${KEYS.join(', ')}, s, p`,
        { facts: { option: clip(name) } },
      )
    if (seen.has(name)) throw new SluiceError('parameter-duplicate', `The query key "${name}" is given twice`)
    seen.add(name)
    if (rank < last) throw malformed(`the query keys stand in the order ${KEYS.join(', ')}, then s or p`)
    last = rank
    const value = decodeValue(equals < 0 ? '' : pair.slice(equals + 1), name)
    if (equals < 0 || value === '') throw invalid(name, value, 'a value')
    if (name === 'exp' && !/^[1-9]\d{0,11}$/.test(value)) throw invalid(name, value, 'a Unix time in seconds')
    if (name === 'dl') {
      if (!/^[A-Za-z0-9 _.-]{1,100}$/.test(value))
        throw invalid(name, value, 'letters, digits, space, "-", "_" and ".", at most 100')
      delivery.filename = value
    }
    if (name === 'v') delivery.version = value
    if (name === 'redirect' || name === 'store')
      throw new SluiceError(
        'parameter-invalid',
        `Cannot use the query key "${name}": this service has no object store`,
      )
  }
  return delivery
}

/** The query of an order, with its `?`; empty when there is nothing to say. */
export function formatQuery({ version, filename }: Delivery): string {
  const pairs = [
    ...(version === undefined ? [] : [`v=${encodeValue(version)}`]),
    ...(filename === undefined ? [] : [`dl=${encodeValue(filename)}`]),
  ]
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

function invalid(name: string, value: string, allowed: string): SluiceError {
  return new SluiceError(
    'parameter-invalid',
    `Cannot use the query key "${name}" with value "${clip(value)}": allowed is ${allowed}`,
    { facts: { option: name } },
  )
}
