import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

/** All addresses of a name, those to prefer first. Rejects when there is none. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>

/**
 * Asks the name servers for A and AAAA, without the thread pool, search domains or the hosts file.
 *
 * One family may fail where the other answers: only what was answered is ever connected to.
 */
export const resolvePublic: Resolve = async (name, signal) => {
  // 0.5 s and then 1 s: a family that is never answered is given up while there is time left for the other.
  // One resolver each: cancelling one ends all questions it has asked.
  const resolver = new Resolver({ timeout: 500, tries: 2 })
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    // IPv4 first: machines without a route to IPv6 are still common, and most of them are told AAAA all the same.
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    signal.throwIfAborted()
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    const [refused] = answers
    if (addresses.length === 0 && refused?.status === 'rejected') throw refused.reason
    return addresses
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/**
 * Asks the operating system, hosts file included: for names that the operator listed himself. They are few, so the
 * thread pool is not at the mercy of strangers.
 */
export const resolveListed: Resolve = async (name) => {
  if (isIP(name) !== 0) return [name]
  const answers = await lookup(name, { all: true, order: 'ipv4first' })
  return answers.map(({ address }) => address)
}
