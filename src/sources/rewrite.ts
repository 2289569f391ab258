import { SluiceError } from '../errors/index.ts'
import { isHttp, joinRef, leaves } from './join-ref.ts'

export interface RewriterOptions {
  /** Where plain paths lie: `https://origin.example.com/img/`, `s3://bucket/`, `name:`. */
  readonly baseUrl?: string | undefined
  /** `https://old.example.com/*` to `s3://archive/*`, first match wins. Each `*` is any text, in order. */
  readonly rules?: Readonly<Record<string, string>>
}

/** Both sides, split at their `*`. */
interface Rule {
  readonly from: readonly string[]
  readonly to: readonly string[]
}

/**
 * What to read instead of a reference: at most one rule is applied, and what is a plain path after that is put below the
 * base. The result is an ordinary reference: it passes every check that one of a visitor does.
 *
 * From `https://…` to a bucket the text under `*` is percent-decoded and loses its query, the other way it is encoded.
 *
 * @throws {SluiceError} `config-invalid` now, for a rule whose sides have different numbers of `*`; `source-forbidden`
 *   later, for text under `*` that would climb with `..`.
 *
 * @example
 * createRewriter({ rules: { 'https://old.example.com/*': 's3://archive/*' } })('https://old.example.com/a.jpg')
 * // 's3://archive/a.jpg'
 */
export function createRewriter({ baseUrl, rules = {} }: RewriterOptions): (ref: string) => string {
  const parsed = Object.entries(rules).map(readRule)
  const base = baseUrl === undefined || /[/:]$/.test(baseUrl) ? baseUrl : `${baseUrl}/`
  return (ref) => {
    const rewritten = applyFirst(parsed, ref)
    return base !== undefined && isPlain(rewritten) ? joinRef(base, rewritten) : rewritten
  }
}

function readRule([from, to]: readonly [string, string]): Rule {
  const rule = { from: from.split('*'), to: to.split('*') }
  if (rule.from.length !== rule.to.length)
    throw new SluiceError(
      'config-invalid',
      `SLUICE_URL_REWRITES: "${from}=${to}" needs as many "*" on the right as on the left`,
    )
  return rule
}

function applyFirst(rules: readonly Rule[], ref: string): string {
  // `HTTPS://Old.Example.com/a` is the same place as `https://old.example.com/a`.
  const text = isHttp(ref) ? (URL.parse(ref)?.href ?? ref) : ref
  for (const { from, to } of rules) {
    const captured = capture(from, text)
    if (captured === undefined) continue
    const [fromUrl, toUrl] = [isHttp(from[0] ?? ''), isHttp(to[0] ?? '')]
    return to.map((part, index) => part + convert(captured[index] ?? '', fromUrl, toUrl)).join('')
  }
  return ref
}

/**
 * The texts between `parts`, each as short as can be. Taking the first place of each part finds a match whenever there
 * is one, so time is linear in the text, which a regular expression with several `.*` is not.
 */
function capture(parts: readonly string[], text: string): readonly string[] | undefined {
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return text === first ? [] : undefined
  if (!text.startsWith(first)) return undefined
  const captured: string[] = []
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found === -1) return undefined
    captured.push(text.slice(at, found))
    at = found + part.length
  }
  const end = text.length - last.length
  return end >= at && text.endsWith(last) ? [...captured, text.slice(at, end)] : undefined
}

/** Text under a `*`, from the language of one side to that of the other. */
function convert(text: string, fromUrl: boolean, toUrl: boolean): string {
  const plain = fromUrl && !toUrl ? decode(text.replace(/[?#].*$/s, '')) : text
  if (leaves(plain.replace(/[?#].*$/s, ''))) throw forbidden()
  return toUrl && !fromUrl ? plain.split('/').map(encodeURIComponent).join('/') : plain
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw forbidden()
  }
}

/** Neither `scheme://…` nor `name:…`. */
function isPlain(ref: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:/i.test(ref)
}

function forbidden(): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', {
    internal: 'the text under "*" of a rewriting rule has a segment "..", or is not percent-encoded',
  })
}
