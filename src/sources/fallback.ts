import { createHash } from 'node:crypto'
import { SluiceError } from '../errors/index.ts'
import type { NotModified, OpenedSource, OpenSourceOptions, Source, Validators } from './define.ts'
import { isBase, joinRef } from './join-ref.ts'
import { RESERVED_NAMES, SOURCE_NAME } from './names.ts'

/** A chain as it is set: `s3://new-bucket/|s3://old-bucket/|https://origin.example.com/img/` by its name. */
export type Chains = Readonly<Record<string, string>>

interface Member {
  readonly base: string
  /** Tells the validators of one member from those of another. */
  readonly mark: string
}

/**
 * Named sources that are made of several others: `products:123.jpg` asks each in order.
 *
 * Only `source-not-found` moves on to the next one: a bucket that is broken or forbids is not passed over, or its
 * images would change without a word.
 *
 * Validators of what it opens are its own and opaque: they carry which member the bytes came from, because a date or
 * an ETag says nothing about the bytes of another one.
 *
 * @param resolve The source that a reference such as `s3://old-bucket/123.jpg` means.
 * @throws {SluiceError} `config-invalid` for a name that is taken, an empty chain, and a chain inside a chain.
 *
 * @example
 * createFallbackSource({ products: 's3://new/|s3://old/' }, resolve).claims('products:123.jpg') // true
 */
export function createFallbackSource(chains: Chains, resolve: (ref: string) => Source | undefined): Source {
  const all = new Map(Object.entries(chains).map(([name, text]) => [name, readChain(name, text, chains)]))
  const split = (ref: string): { name: string; rest: string; members: readonly Member[] } | undefined => {
    const colon = ref.indexOf(':')
    const name = ref.slice(0, Math.max(0, colon))
    const members = all.get(name)
    return members === undefined ? undefined : { name, rest: ref.slice(colon + 1), members }
  }
  const expect = (ref: string) => {
    const found = split(ref)
    if (found === undefined) throw forbidden(`no chain for this reference`)
    return found
  }
  const locate = ({ base }: Member, rest: string): { source: Source; ref: string } => {
    const ref = joinRef(base, rest)
    const source = resolve(ref)
    if (source === undefined) throw forbidden(`the chain names "${base}", which this service may not read`)
    return { source, ref }
  }
  return {
    kind: 'chain',
    remote: true,
    claims: (ref) => split(ref) !== undefined,
    canonical(ref) {
      const { name, rest, members } = expect(ref)
      // Refuses what a member would.
      for (const member of members) {
        const found = locate(member, rest)
        found.source.canonical(found.ref)
      }
      return `${name}:${rest}`
    },
    async open(ref, options) {
      const { rest, members } = expect(ref)
      let missing: SluiceError | undefined
      for (const member of members) {
        options.signal.throwIfAborted()
        const { source, ref: inner } = locate(member, rest)
        try {
          return marked(member, source, await source.open(inner, forMember(member, options)))
        } catch (error) {
          if (!(error instanceof SluiceError) || error.code !== 'source-not-found') throw error
          missing = error
        }
      }
      throw missing ?? new SluiceError('source-not-found', 'Cannot find this source')
    },
  }
}

/** What the member is asked with: its own validators, or none. */
function forMember({ mark }: Member, { known, ...options }: OpenSourceOptions): OpenSourceOptions {
  const own = (text: string | undefined) => (text?.startsWith(mark) ? text.slice(mark.length) : undefined)
  const validators = mapValidators(known ?? {}, own)
  return Object.keys(validators).length === 0 ? options : { ...options, known: validators }
}

function marked(
  { mark }: Member,
  source: Source,
  opened: OpenedSource | NotModified,
): OpenedSource | NotModified {
  if ('notModified' in opened) return opened
  // A file at hand is not kept a second time, and asked for again each time.
  if (!source.remote) return { ...opened, freshness: { maxAgeSeconds: 0, storable: false } }
  if (opened.validators === undefined) return opened
  return { ...opened, validators: mapValidators(opened.validators, (text) => text && mark + text) }
}

function mapValidators(
  { etag, lastModified, versionId }: Validators,
  map: (text: string | undefined) => string | undefined,
): Validators {
  const entries = Object.entries({
    etag: map(etag),
    lastModified: map(lastModified),
    versionId: map(versionId),
  })
  return Object.fromEntries(entries.filter(([, text]) => text !== undefined))
}

function readChain(name: string, text: string, chains: Chains): readonly Member[] {
  if (!SOURCE_NAME.test(name) || RESERVED_NAMES.includes(name))
    throw invalid(`a chain may not be called "${name}"`)
  const bases = text.split('|').map((base) => base.trim())
  if (bases.includes('')) throw invalid(`"${name}" has an empty member`)
  return bases.map((base, index) => {
    const inner = /^([a-z][a-z0-9-]*):(?!\/\/)/.exec(base)?.[1]
    if (inner !== undefined && inner in chains) throw invalid(`"${name}" holds the chain "${inner}"`)
    // Not quoted: credentials may stand there.
    if (!isBase(base))
      throw invalid(
        `member ${index + 1} of "${name}" is no place, expected one such as "s3://bucket/", "https://host/img/" or "name:"`,
      )
    return { base, mark: `${createHash('sha256').update(base).digest('hex').slice(0, 12)}:` }
  })
}

function forbidden(internal: string): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', { internal })
}

function invalid(detail: string): SluiceError {
  return new SluiceError('config-invalid', `SLUICE_SOURCES: ${detail}`)
}
