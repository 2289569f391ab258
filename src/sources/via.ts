import { OriginError } from './origin-error.ts'

const OWN_KIND = /^1\.1 sluice-[0-9a-f]{8,32}$/
/** A chain of more services of this kind than this is a loop through instances that do not know each other. */
const MAX_CHAIN = 4

/**
 * The `Via` of a request to an origin: what services of this kind have passed it on, this one last. Nothing else of
 * the client's header goes out.
 *
 * @param via `Via` as the client sent it.
 * @throws {OriginError} `source-forbidden` when this instance is in it already.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3
 */
export function nextVia(via: string | undefined, instanceId: string): string {
  const own = `1.1 sluice-${instanceId}`
  const chain = (via ?? '')
    .slice(0, 4096)
    .split(',')
    .map((hop) => hop.trim().toLowerCase())
    .filter((hop) => OWN_KIND.test(hop))
  if (chain.includes(own)) throw OriginError.denied('loop', 'this instance asked for it')
  if (chain.length >= MAX_CHAIN) throw OriginError.denied('loop', `${chain.length} instances asked for it`)
  return [...chain, own].join(', ')
}
