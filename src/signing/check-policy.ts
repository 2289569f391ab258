import { SluiceError } from '../errors/index.ts'
import { type Order, type Plan, recipeSources } from '../recipe/index.ts'
import type { SignedPolicy } from './policy.ts'

/**
 * Holds an order against its policy: what is known before anything is opened.
 *
 * Sources that the URL names inside its recipe (overlays) have to lie within the policy like the main one; those of
 * a preset are the operator's own. Uploads have no source, and no policy.
 *
 * @param order As parsed, presets not expanded.
 * @param plain The source in plain text when `order.source` is encrypted.
 * @throws {SluiceError} `policy-exceeded`.
 */
export function checkPolicyOrder(policy: SignedPolicy, order: Order, plain = order.source): void {
  if (order.source === undefined || plain === undefined)
    throw exceeded('source', 'a policy is for named sources')
  // Equal sources give equal tokens, so that a policy may fix a source that the client must not read.
  if (policy.src === undefined || policy.src !== order.source) assertWithin(policy, plain)
  const { stages } = order.recipe
  const named = { steps: stages.flatMap(({ steps }) => steps), output: {} }
  for (const source of recipeSources(named)) if (typeof source === 'string') assertWithin(policy, source)
  for (const { preset } of stages) {
    if (preset !== undefined && policy.presets !== undefined && !policy.presets.includes(preset))
      throw exceeded('preset', `"${preset}" is not among ${list(policy.presets)}`)
  }
}

/**
 * Holds a plan against its policy: the result in device px, the DPR included, and its format. A size that is only known
 * to be at most this large counts as this large.
 *
 * @throws {SluiceError} `policy-exceeded`.
 */
export function checkPolicyPlan(
  { maxW, maxH, formats }: SignedPolicy,
  { size, output }: Pick<Plan, 'size'> & { readonly output: Pick<Plan['output'], 'format'> },
): void {
  if (maxW !== undefined && size.width > maxW) throw exceeded('width', `${size.width} px is over ${maxW} px`)
  if (maxH !== undefined && size.height > maxH)
    throw exceeded('height', `${size.height} px is over ${maxH} px`)
  if (formats !== undefined && !formats.includes(output.format))
    throw exceeded('format', `"${output.format}" is not among ${list(formats)}`)
}

function assertWithin({ src, prefix }: SignedPolicy, source: string): void {
  const within = src === undefined ? beginsWith(source, prefix ?? '') : source === src
  if (!within) throw exceeded('source', 'it lies outside')
}

/** Whether a source lies below a prefix: `photos` and `photos/` hold `photos/cat.jpg`, not `photos-private/cat.jpg`. */
function beginsWith(source: string, prefix: string): boolean {
  if (!source.startsWith(prefix) || climbs(source)) return false
  // "name:" is a root or bucket; a colon after a host begins a port or a password, and is no boundary.
  return (
    source.length === prefix.length ||
    prefix.endsWith('/') ||
    /^[A-Za-z0-9_-]+:$/.test(prefix) ||
    source[prefix.length] === '/'
  )
}

/** Whether some reader of this source might leave a folder again: `..`, its encodings, `\`, characters that are dropped. */
function climbs(source: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: URL parsers drop them.
  if (/[\x00-\x1f\x7f]/.test(source)) return true
  const path = source.replace(/%2e/gi, '.').replace(/%2f|%5c|\\/gi, '/')
  return path.split(/[/?#]/).some((segment) => segment === '.' || segment === '..')
}

function exceeded(bound: string, why: string): SluiceError {
  return new SluiceError('policy-exceeded', `Cannot serve this URL: its policy bounds the ${bound}: ${why}`, {
    facts: { bound },
  })
}

function list(words: readonly string[]): string {
  return words.length === 0 ? 'none' : words.join(', ')
}
