import type { SourceRef } from '../operations/index.ts'
import type { StagedRecipe } from './recipe.ts'

export interface Delivery {
  /** Download file name without extension; asks for `Content-Disposition: attachment`. */
  readonly filename?: string
  /** Cache buster `v`, part of the source's identity. */
  readonly version?: string
}

/** What an order leaves to the client's hints; whoever serves it fills the gap before the key is made. */
export interface OpenHints {
  /** `dpr=auto`: `dpr` is 1 until the client has told its own. */
  readonly dpr?: true
  /** `w=auto` in the first stage: its resize has no width until the client has told one. */
  readonly width?: true
}

/** What one request asks for, in any URL language. */
export interface Order {
  /** Absent on uploads: the source is the body. `e:…` is encrypted, and read after the signature was checked. */
  readonly source?: SourceRef
  readonly recipe: StagedRecipe
  /** Device pixel ratio, 0.1–8; 1 when not said. */
  readonly dpr: number
  /** `off` ignores the orientation tag. */
  readonly orient: 'auto' | 'off'
  /** Absent: nothing is left open. */
  readonly hints?: OpenHints
  readonly delivery: Delivery
}
