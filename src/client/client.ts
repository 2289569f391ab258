import { native } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { Delivery, Order } from '../recipe/index.ts'
import {
  checkPolicyOrder,
  createSourceCipher,
  type SignedPolicy,
  signPolicy,
  signTarget,
} from '../signing/index.ts'
import { type ClientRecipe, type RecipePart, recipeOf, withWidth } from './recipe-of.ts'

export interface ClientOptions {
  /** Where the service is reached: `https://img.example.com`; a path behind it is one that the proxy takes off. */
  readonly baseUrl: string
  /** Signing key, hexadecimal. Only where nobody else can read it; browsers use a policy. */
  readonly key?: string
  /** Text of a signed policy (`signPolicy`, `sluice sign --policy`): every URL gets it, none is signed. */
  readonly policy?: string
  /** Key of encrypted sources, hexadecimal: every source is encrypted. */
  readonly sourceKey?: string
  /** Names that the service knows; another name is an error here already. */
  readonly presets?: readonly string[]
}

export interface UrlOptions {
  /** `photos/cat.jpg`, `name:path`, `https://…`, `s3://bucket/key`. */
  readonly source: string
  /** Default: the picture as it is. */
  readonly recipe?: ClientRecipe
  /** Device pixel ratio, 0.1–8, or what the client's hints say. */
  readonly dpr?: number | 'auto'
  /** Expiry of the signature, Unix seconds. */
  readonly expires?: number
  /** File name without extension: the URL is a download. */
  readonly filename?: string
  /** Cache buster. */
  readonly version?: string
}

export interface SrcsetOptions extends Omit<UrlOptions, 'dpr'> {
  /** Widths, CSS px: `… 400w, … 800w`. */
  readonly widths?: readonly number[]
  /** Device pixel ratios: `… 1x, … 2x`. */
  readonly densities?: readonly number[]
}

export interface Client {
  /** A URL, signed where there is a key, with the policy where there is one. */
  url(options: UrlOptions): Promise<string>
  /** The `srcset` of an `<img>`: one URL for each width, or each density. */
  srcset(options: SrcsetOptions): Promise<string>
  /** A URL inside a policy, given as text or, where there is a key, as its bounds. */
  policyUrl(
    options: Omit<UrlOptions, 'expires'> & { readonly policy: string | SignedPolicy },
  ): Promise<string>
}

/**
 * Builds URLs of the native language; runs wherever Web Crypto does. Each URL is read back before it is given away, so that
 * what the service would refuse is an error here, with the same code and words.
 *
 * @example
 * const images = createClient({ baseUrl: 'https://img.example.com', key })
 * await images.srcset({ source: 'photos/cat.jpg', recipe: 'format=webp', widths: [400, 800] })
 */
export function createClient({ baseUrl, key, policy, sourceKey, presets }: ClientOptions): Client {
  const base = baseUrl.replace(/\/$/, '')
  const cipher = sourceKey === undefined ? undefined : createSourceCipher(sourceKey)

  async function build(options: UrlOptions, part: RecipePart): Promise<{ order: Order; target: string }> {
    const { source, dpr, filename, version } = options
    const delivery: Delivery = {
      ...(filename === undefined ? {} : { filename }),
      ...(version === undefined ? {} : { version }),
    }
    const order: Order = {
      ...part,
      ...(dpr === undefined ? {} : dprPart(dpr, part)),
      source: cipher === undefined ? source : `e:${await cipher.encrypt(source)}`,
      delivery,
    }
    const target = native.format('render', order)
    native.parse(native.claim(target))
    return { order, target }
  }

  async function finish(target: string, expires: number | undefined): Promise<string> {
    if (policy !== undefined) {
      if (expires !== undefined)
        throw new SluiceError('parameter-invalid', 'Cannot set an expiry: the policy has its own')
      return base + withPolicy(target, policy)
    }
    if (key === undefined && expires !== undefined)
      throw new SluiceError('parameter-invalid', 'Cannot set an expiry: there is no key to sign it with')
    return (
      base +
      (key === undefined
        ? target
        : await signTarget(target, { key, ...(expires === undefined ? {} : { expires }) }))
    )
  }

  return {
    async url(options) {
      const { target } = await build(options, recipeOf(options.recipe ?? '_', presets))
      return finish(target, options.expires)
    },
    async srcset({ widths = [], densities = [], ...options }) {
      if ((widths.length === 0) === (densities.length === 0))
        throw new SluiceError('parameter-invalid', 'Cannot make a srcset: give either widths or densities')
      const part = recipeOf(options.recipe ?? '_', presets)
      const entry = async (one: UrlOptions, of: RecipePart, descriptor: string) =>
        `${await finish((await build(one, of)).target, options.expires)} ${descriptor}`
      const entries = [
        // Told in px of the picture: a DPR of the recipe counts.
        ...widths.map((width) => entry(options, withWidth(part, width), `${Math.round(width * part.dpr)}w`)),
        ...densities.map((dpr) => entry({ ...options, dpr }, part, `${dpr}x`)),
      ]
      return (await Promise.all(entries)).join(', ')
    },
    async policyUrl({ policy: wanted, ...options }) {
      const { order, target } = await build(options, recipeOf(options.recipe ?? '_', presets))
      if (typeof wanted === 'string') return base + withPolicy(target, wanted)
      if (key === undefined)
        throw new SluiceError(
          'parameter-invalid',
          'Cannot sign a policy: there is no key; give its signed text',
        )
      checkPolicyOrder(wanted, order, options.source)
      return base + withPolicy(target, await signPolicy(wanted, { key }))
    },
  }
}

/** A target with a policy, which ends the query. */
function withPolicy(target: string, policy: string): string {
  return `${target}${target.includes('?') ? '&' : '?'}p=${policy}`
}

function dprPart(dpr: number | 'auto', { hints = {} }: RecipePart): Pick<Order, 'dpr' | 'hints'> {
  if (dpr === 'auto') return { dpr: 1, hints: { ...hints, dpr: true } }
  return hints.width ? { dpr, hints: { width: true } } : { dpr, hints: undefined }
}
