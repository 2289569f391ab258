/** Browsers send some 100 characters; more than this is no wish but work. */
const MAX_CHARACTERS = 2048
const MAX_RANGES = 64
const MEDIA_RANGE = /^[a-z0-9!#$&^_.+*-]+\/[a-z0-9!#$&^_.+*-]+$/
/** RFC 9110 §12.4.2. */
const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Media ranges of an `Accept` header with their weights, 0–1, in lower case.
 *
 * Malformed entries are left out; of one range that is given twice the lower weight holds, so that a refusal stays one.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
export function readAccept(accept: string | undefined): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  if (accept === undefined || accept.length > MAX_CHARACTERS) return weights
  // Quoted parameter values may hold commas and semicolons; no image type has a parameter that matters.
  const plain = accept.toLowerCase().replace(/"[^"]*"/g, '')
  for (const entry of plain.split(',', MAX_RANGES)) {
    const [range = '', ...parameters] = entry.split(';').map((part) => part.trim())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1'
    if (!MEDIA_RANGE.test(range) || !WEIGHT.test(weight)) continue
    weights.set(range, Math.min(weights.get(range) ?? 1, Number(weight)))
  }
  return weights
}
