import type { SourceRef } from '../operations/index.ts'
import type { StagedRecipe } from './recipe.ts'

export interface Delivery {
  /** Download file name without extension; asks for `Content-Disposition: attachment`. */
  readonly filename?: string
  /** Cache buster `v`, part of the source's identity. */
  readonly version?: string
}

/** What one request asks for, in any URL language. */
export interface Order {
  /** Absent on uploads: the source is the body. */
  readonly source?: SourceRef
  readonly recipe: StagedRecipe
  /** Device pixel ratio, 0.1–8; 1 when not said. */
  readonly dpr: number
  /** `off` ignores the orientation tag. */
  readonly orient: 'auto' | 'off'
  readonly delivery: Delivery
}
