import type { NegotiationClass } from '../delivery/index.ts'
import { Shared } from '../flow/index.ts'
import type { Order, OutputFormat } from '../recipe/index.ts'

/** What the store keeps of a variant beside its bytes. */
export interface VariantMeta {
  readonly format: OutputFormat
  /** One frame, px. */
  readonly width: number
  readonly height: number
  readonly frames: number
  /** Strong, with its quotes. */
  readonly etag: string
  /** Last change of the source, ms. */
  readonly modifiedMs?: number
  /** Seconds that the origin of the source lets others keep it. */
  readonly originMaxAgeSeconds?: number
}

/** The bytes of a variant with its facts, for everybody who waits for it. */
export class SharedVariant extends Shared {
  readonly meta: VariantMeta
  readonly bytes: Uint8Array
  /** Where it was found; `undefined` for one that was made. */
  readonly tier: string | undefined
  /** In the worker, ms. */
  readonly workMs: number
  /** Whether its sources allow it to be kept by others. */
  readonly storable: boolean

  constructor({ meta, bytes, tier, workMs = 0, storable = true, free = () => undefined }: VariantOptions) {
    super(free)
    this.meta = meta
    this.bytes = bytes
    this.tier = tier
    this.workMs = workMs
    this.storable = storable
  }
}

export interface VariantOptions {
  readonly meta: VariantMeta
  readonly bytes: Uint8Array
  readonly tier?: string
  readonly workMs?: number
  readonly storable?: boolean
  readonly free?: () => void
}

/** What a door sends: a variant, and what of the request decided about it. Whoever got it calls `release()` once. */
export interface Variant {
  readonly meta: VariantMeta
  readonly bytes: Uint8Array
  readonly tier: string | undefined
  readonly workMs: number
  /** Set when the format was left to the client's wishes. */
  readonly negotiated: NegotiationClass | undefined
  /** Headers of the client that were looked at. */
  readonly hints: NonNullable<Order['hints']>
  /** Device pixel ratio that the picture was made for. */
  readonly dpr: number
  /** Set when another picture stands in for the one that was asked for. */
  readonly fallback: boolean
  /** Its source may not be kept by shared caches. */
  readonly storable: boolean
  release(): void
}
