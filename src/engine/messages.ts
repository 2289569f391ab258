import type { ErrorCode, ErrorFacts } from '../errors/index.ts'
import type { Size } from '../geometry/index.ts'
import type { InputFormat, OutputFormat, Plan, Probe } from '../recipe/index.ts'

/*
 * What server and workers say to each other. A frame on the wire:
 *   u32 BE header length | header: UTF-8 JSON | payloads, back to back, lengths in header.payloads
 * One request, one answer, no pipelining: a worker runs one job at a time.
 */

/** Server to worker. */
export type Request =
  | {
      readonly kind: 'probe'
      readonly id: number
      readonly format: InputFormat
      readonly gps: boolean
      readonly payloads: readonly number[]
    }
  | {
      readonly kind: 'render'
      readonly id: number
      readonly plan: Plan
      readonly payloads: readonly number[]
    }

/** Worker to server. `sandbox` comes from the launcher, before any worker code runs; `ready` comes once, unasked, when the process can take its first job. */
export type Answer =
  | {
      readonly kind: 'sandbox'
      readonly level: string
      readonly missing?: string
      readonly payloads: readonly []
    }
  | {
      readonly kind: 'ready'
      readonly versions: Readonly<Record<string, string>>
      readonly payloads: readonly []
    }
  | { readonly kind: 'probe'; readonly id: number; readonly probe: Probe; readonly payloads: readonly [] }
  | {
      readonly kind: 'render'
      readonly id: number
      readonly result: RenderFacts
      readonly payloads: readonly [number]
    }
  | {
      readonly kind: 'error'
      readonly id: number
      readonly code: ErrorCode
      readonly detail: string
      readonly facts: ErrorFacts
      readonly internal?: string
      readonly payloads: readonly []
    }

export interface RenderFacts {
  readonly format: OutputFormat
  /** One frame, px. */
  readonly size: Size
  readonly frames: number
  /** Wall time in the worker, ms. */
  readonly totalMs: number
  /** Peak resident memory of the process during the job, bytes. */
  readonly peakBytes: number
  readonly cpuMs: number
}
