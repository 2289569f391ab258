import { z } from 'zod'
import { catalog, type ErrorCode, type ErrorFacts } from '../errors/index.ts'
import type { Size } from '../geometry/index.ts'
import {
  INPUT_FORMATS,
  type InputFormat,
  OUTPUT_FORMATS,
  type OutputFormat,
  type Plan,
  type Probe,
} from '../recipe/index.ts'

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
      /** Length of the whole body; the payload may be its beginning. */
      readonly bytes: number
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
  /** The beginning of a body did not say all that a probe must: the whole is needed. */
  | { readonly kind: 'more'; readonly id: number; readonly payloads: readonly [] }
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

const count = z.int().min(0)
const size = z.object({ width: z.int().min(1), height: z.int().min(1) })
const duration = z.number().min(0)
const payloads = z.array(count)
/** What the server relies on in a worker's words; more may be said. */
const answers = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sandbox'), level: z.string(), missing: z.string().optional(), payloads }),
  z.object({ kind: z.literal('ready'), versions: z.record(z.string(), z.string()), payloads }),
  z.object({
    kind: z.literal('probe'),
    id: count,
    probe: z.object({
      format: z.enum(INPUT_FORMATS),
      stored: size,
      size,
      orientation: z.int().min(1).max(8),
      frames: z.int().min(1),
      delays: z.array(z.number()),
      loop: count,
      scans: count,
      channels: count,
      space: z.string(),
      bitDepth: count,
      exif: z.object({}),
    }),
    payloads,
  }),
  z.object({ kind: z.literal('more'), id: count, payloads }),
  z.object({
    kind: z.literal('render'),
    id: count,
    result: z.object({
      format: z.enum(OUTPUT_FORMATS),
      size,
      frames: z.int().min(1),
      totalMs: duration,
      peakBytes: count,
      cpuMs: duration,
    }),
    payloads,
  }),
  z.object({
    kind: z.literal('error'),
    id: count,
    code: z.string().refine((code) => Object.hasOwn(catalog, code)),
    detail: z.string(),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
    internal: z.string().optional(),
    payloads,
  }),
])

/** Whether a worker's header is an answer by its form. Who decodes pictures of strangers is not believed. */
export function isAnswer(header: unknown): header is Answer {
  return answers.safeParse(header).success
}
