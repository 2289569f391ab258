import type { InputFormat, Plan, Probe } from '../recipe/index.ts'
import type { RenderFacts } from './messages.ts'

/** Image bytes held under an input lease. Whoever got it calls `release()` exactly once. */
export interface Body {
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  /** Hex SHA-256 of the bytes; only valid until `release()` unless it was read before. */
  readonly sha256: string
  release(): void
}

/** Room for a body that is still arriving. */
export interface InputLease {
  /**
   * Copies `chunk` into leased memory; resolves when there was room (back-pressure: read no further before).
   *
   * @throws {SluiceError} `overloaded` when the queue deadline passes without room; `upload-too-large` or
   *   `source-too-large` (see `limitCode`) past `maxBytes`; the signal's reason when aborted.
   */
  write(chunk: Uint8Array): Promise<void>
  /**
   * Reads `bytes` bytes straight into leased memory, several slabs at a time where there is room.
   *
   * @param read Fills targets in order and tells how many bytes it put there; 0 at the end.
   * @throws {SluiceError} as `write`.
   */
  fill(bytes: number, read: (targets: readonly Uint8Array[]) => Promise<number>): Promise<void>
  /** The first bytes so far, for sniffing (at most 4 KiB). */
  head(): Uint8Array
  finish(): Body
  /** Gives everything back; after `finish()` the body owns the memory and this does nothing. */
  release(): void
}

export interface OpenInputOptions {
  /** Bytes announced by the peer, if any; a hint for fair admission, never trusted. */
  readonly expectedBytes?: number
  readonly maxBytes: number
  readonly limitCode: 'upload-too-large' | 'source-too-large'
  /** When the bytes are hashed: while they come, or only if somebody asks. */
  readonly hash: 'streaming' | 'lazy'
  /** Fairness key: API key, signing key or peer address. */
  readonly client: string
  readonly signal: AbortSignal
}

export interface JobOptions {
  readonly signal: AbortSignal
  /** `performance.now()` at which the whole request must be over, ms. */
  readonly deadlineAt: number
  readonly client: string
}

/** A finished variant. Its bytes stay under an output lease until `release()`. */
export interface Rendered {
  readonly facts: RenderFacts
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  /** Waited for room and a worker, ms. */
  readonly queueMs: number
  /** Image worker that ran it. */
  readonly workerId: number
  release(): void
}

export interface SandboxStatus {
  /** What isolates the workers: `landlock+seccomp+rlimits`, `seccomp+rlimits`, `rlimits`, `none`… */
  readonly level: string
  /** Why it is not more, one line; absent when complete. */
  readonly missing?: string
}

export interface EngineStatus {
  readonly ready: boolean
  readonly sandbox: SandboxStatus
  readonly versions: Readonly<Record<string, string>>
  readonly workers: { readonly size: number; readonly busy: number; readonly spare: number }
  readonly budgetBytes: number
  readonly committedBytes: number
  readonly queueDepth: number
}

/** Isolated decoding, planning's executor: probes and renders in worker processes under one memory budget. */
export interface Engine {
  /** Starts the processes; resolves when probe process and workers are ready and have decoded one image each. */
  start(signal: AbortSignal): Promise<void>
  openInput(options: OpenInputOptions): InputLease
  /** Refuses at once when the queue is full, so that nothing is read for a request that cannot be served. */
  assertRoom(): void
  /** Largest plan that can ever be admitted, bytes. */
  readonly maxPlanBytes: number
  probe(body: Body, format: InputFormat, options: JobOptions & { readonly gps?: boolean }): Promise<Probe>
  /**
   * Admits the plan (weighted, fair, bounded queue), runs it in a worker, retries once after an external death.
   *
   * @param bodies The source, then the further inputs of the plan in order.
   * Source and further inputs together are what a deadly input is remembered by.
   */
  render(plan: Plan, bodies: readonly Body[], options: JobOptions): Promise<Rendered>
  /** A real decode and encode in an image worker. */
  selfTest(options: JobOptions): Promise<void>
  status(): EngineStatus
  close(): Promise<void>
}
