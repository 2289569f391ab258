import { SluiceError } from '../errors/index.ts'
import {
  createPlan,
  type InputFormat,
  limitsOptions,
  normalize,
  type Plan,
  type Probe,
} from '../recipe/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { Admission, type PlanLease, tooBusy } from './admission.ts'
import type { Answer, Request } from './messages.ts'
import type { EngineOptions } from './options.ts'
import { Pool } from './pool.ts'
import { checkSandbox, createSandbox, type Sandbox } from './sandbox.ts'
import { Slabs } from './slabs.ts'
import { Strikes } from './strikes.ts'
import { noteTransient } from './transient.ts'
import type { Body, Engine, JobOptions, Rendered } from './types.ts'
import { type Exit, WorkerExit, type WorkerProcess } from './worker-process.ts'

const PROBE_TIMEOUT_MS = 1000
const POLL_MS = 50
/** Beside twice the estimate: code and caches that a process gathers over its life. */
const MEMORY_SLACK_BYTES = 64 * 1024 * 1024
/** A job whose client left is worth finishing when less CPU than this remains. */
const WORTH_KILLING_MS = 300
const MAX_DISCONNECT_KILLS_PER_SECOND = 5
/** Share of the deadline that one thread at work spends as CPU time, whatever else runs. */
const CPU_SHARE = 0.9
const BEGINS_WITH_HEADER: ReadonlySet<InputFormat> = new Set(['jpeg', 'png'])
const DEADLY_SIGNALS = new Set([
  'SIGSEGV',
  'SIGABRT',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGSYS',
  'SIGTRAP',
  'SIGXCPU',
])

// 2×2 px: what the self test decodes and encodes.
const TEST_PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAFElEQVQImWP4z8DAAMIM////ZwAAHu8E/FKAYnUAAAAASUVORK5CYII=',
  'base64',
)
const TEST_PROBE: Probe = {
  format: 'png', bytes: TEST_PNG.length, stored: { width: 2, height: 2 }, size: { width: 2, height: 2 }, orientation: 1, frames: 1, delays: [],
  loop: 0, scans: 1, progressive: false, lossless: false, alpha: false, channels: 3, space: 'srgb', bitDepth: 8, subsampling: undefined, icc: undefined, exif: {},
} // biome-ignore format: a constant

/**
 * Isolated decoding and encoding under one memory budget; see `Engine`.
 *
 * @param sandbox How worker processes are started, when not as `options` say.
 */
export function createEngine(options: EngineOptions, telemetry: Telemetry, sandbox?: Sandbox): Engine {
  return new ProcessEngine(options, telemetry, sandbox)
}

class ProcessEngine implements Engine {
  readonly maxPlanBytes: number
  readonly #options: EngineOptions
  readonly #telemetry: Telemetry
  readonly #slabs: Slabs
  readonly #admission: Admission
  readonly #workers: Pool
  readonly #probes: Pool
  readonly #strikes = new Strikes()
  readonly #watched = new Map<WorkerProcess, number>()
  readonly #unavailable: string | undefined
  #poll: NodeJS.Timeout | undefined
  #probeQueue: Promise<unknown> = Promise.resolve()
  #probesWaiting = 0
  #jobs = 0
  #disconnectKills: number[] = []
  #ready = false

  constructor(options: EngineOptions, telemetry: Telemetry, given?: Sandbox) {
    this.#options = options
    this.#telemetry = telemetry
    const budget = options.memoryBudgetBytes
    // Bodies may take three eighths: the largest plan always finds its room, so those who hold bytes get on.
    const inputBytes = Math.min(Math.floor((budget * 3) / 8), 512 * 1024 * 1024)
    this.maxPlanBytes = budget - inputBytes
    const onChange = () => this.#report()
    this.#slabs = new Slabs({ capacityBytes: inputBytes, waitMs: options.queueTimeoutMs, onChange })
    this.#admission = new Admission({
      capacityBytes: this.maxPlanBytes,
      slots: options.workers,
      // The spare process takes the bytes of the next job while all others work.
      ahead: 1,
      queueSize: options.queueSize,
      queueTimeoutMs: options.queueTimeoutMs,
      onChange,
    })
    const sandbox = given ?? createSandbox(options.sandbox, this.maxPlanBytes)
    this.#unavailable = sandbox.unavailable
    const pool = (kind: 'worker' | 'probe', size: number) =>
      new Pool({
        kind,
        size,
        command: sandbox.command(kind),
        maxPayloadBytes: this.maxPlanBytes,
        recycleAfterJobs: kind === 'worker' ? options.recycleAfterJobs : options.recycleAfterJobs * 20,
        check: (reached) => checkSandbox(options.sandbox, reached),
        telemetry,
      })
    this.#workers = pool('worker', options.workers)
    this.#probes = pool('probe', 1)
    telemetry.gauge('sluice_memory_budget_bytes', budget)
    this.#report()
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await Promise.all([this.#workers.start(), this.#probes.start()])
    checkSandbox(this.#options.sandbox, this.status().sandbox)
    const deadlineAt = performance.now() + 10_000
    await this.selfTest({ signal, deadlineAt, client: 'self' })
    this.#ready = true
    const { level } = this.status().sandbox
    this.#telemetry.gauge('sluice_sandbox_level', 1, { level })
  }

  openInput(options: Parameters<Engine['openInput']>[0]) {
    return this.#slabs.open(options)
  }

  assertRoom(): void {
    if (
      this.#admission.full ||
      this.#probesWaiting + this.#slabs.waiting > this.#options.queueSize + this.#options.workers
    ) {
      throw tooBusy('the queue is full')
    }
  }

  async probe(
    body: Body,
    format: InputFormat,
    options: JobOptions & { readonly gps?: boolean },
  ): Promise<Probe> {
    this.#refuseDeadly(() => body.sha256)
    this.#probesWaiting += 1
    const turn = this.#probeQueue.then(() => this.#runProbe(body, format, options))
    this.#probeQueue = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#probesWaiting -= 1
    }
  }

  async render(plan: Plan, bodies: readonly Body[], options: JobOptions): Promise<Rendered> {
    this.#refuseDeadly(() => keyOf(bodies))
    const queuedAt = performance.now()
    const { memoryBytes, cpuMs } = plan.estimate
    const lease = await this.#admission.admit({
      bytes: memoryBytes,
      cpuMs,
      client: options.client,
      signal: options.signal,
      deadlineAt: options.deadlineAt,
    })
    lease.turn.then(
      () => this.#telemetry.count('sluice_decodes_total'),
      () => undefined,
    )
    try {
      const { answer, payload, worker } = await this.#runJob(plan, bodies, options, lease)
      const queueMs = (lease.startedAt ?? queuedAt) - queuedAt
      if (answer.kind !== 'render' || payload === undefined)
        throw new SluiceError('worker-protocol', 'An image worker answered wrongly')
      lease.shrink(payload.length)
      return {
        facts: answer.result,
        chunks: [payload],
        bytes: payload.length,
        queueMs,
        workerId: worker.id,
        release: () => {
          lease.release()
          // The socket's chunks and the payload itself.
          noteTransient(2 * payload.length)
        },
      }
    } catch (error) {
      lease.release()
      throw error
    }
  }

  async selfTest(options: JobOptions): Promise<void> {
    const plan = createPlan({
      recipe: normalize({ stages: [{ steps: [{ op: 'resize', width: 1 }] }], output: { format: 'jpeg' } }),
      probe: TEST_PROBE,
      limits: limitsOptions.parse({}),
    })
    const body: Body = { chunks: [TEST_PNG], bytes: TEST_PNG.length, sha256: '', release() {} }
    const now = { turn: Promise.resolve(), startedAt: performance.now() }
    const { answer } = await this.#runJob(plan, [body], options, now)
    if (answer.kind !== 'render' || answer.result.size.width !== 1)
      throw new SluiceError('not-ready', 'The self test made a wrong picture')
  }

  status() {
    const { workers } = this.#options
    const sandbox =
      this.#unavailable === undefined ? this.#workers.sandbox : { level: 'none', missing: this.#unavailable }
    return {
      ready: this.#ready && this.#workers.alive > 0,
      sandbox,
      versions: this.#workers.versions,
      workers: {
        size: workers,
        busy: this.#admission.running,
        spare: Math.max(0, this.#workers.alive - workers),
      },
      budgetBytes: this.#options.memoryBudgetBytes,
      committedBytes: this.#committed(),
      queueDepth: this.#queueDepth(),
    }
  }

  async close(): Promise<void> {
    this.#ready = false
    clearInterval(this.#poll)
    await Promise.all([this.#workers.close(), this.#probes.close()])
  }

  #committed(): number {
    return this.#slabs.heldBytes + this.#admission.committedBytes
  }

  #queueDepth(): number {
    return this.#admission.waiting + this.#slabs.waiting
  }

  #report(): void {
    // The first change comes while the fields are being made.
    if (this.#slabs === undefined || this.#admission === undefined) return
    this.#telemetry.gauge('sluice_memory_committed_bytes', this.#committed())
    this.#telemetry.gauge('sluice_queue_depth', this.#queueDepth())
  }

  #refuseDeadly(keyOf: () => string): void {
    if (!this.#strikes.refuses(keyOf)) return
    throw new SluiceError(
      'decoder-crashed',
      'Cannot decode this image: it has killed its decoder twice and is refused for an hour',
    )
  }

  async #runProbe(
    body: Body,
    format: InputFormat,
    options: JobOptions & { readonly gps?: boolean },
  ): Promise<Probe> {
    const left = options.deadlineAt - performance.now()
    if (left <= 0) throw tooBusy('no header could be read in time')
    const worker = await this.#probes.take(options.signal, options.deadlineAt)
    const timer = setTimeout(() => this.#probes.end(worker, 'deadline'), Math.min(PROBE_TIMEOUT_MS, left))
    try {
      const ask = async (chunks: readonly Uint8Array[]) => {
        const request: Request = {
          kind: 'probe',
          id: ++this.#jobs,
          format,
          gps: options.gps === true,
          bytes: body.bytes,
          payloads: [chunks.reduce((sum, { length }) => sum + length, 0)],
        }
        return (await worker.run(request, chunks)).answer
      }
      // What most JPEG and PNG files say of themselves stands in their beginning.
      const first = BEGINS_WITH_HEADER.has(format) ? body.chunks.slice(0, 1) : body.chunks
      const short = await ask(first)
      const answer = short.kind === 'more' ? await ask(body.chunks) : short
      if (answer.kind === 'probe') return answer.probe
      throw this.#revive(answer)
    } catch (error) {
      if (!(error instanceof WorkerExit)) throw error
      if (error.exit.killed === 'deadline')
        throw new SluiceError('image-broken', 'Cannot decode this image: reading its header takes too long', {
          cause: error,
        })
      throw this.#judge(error.exit, body.sha256, { kind: 'probe', format, bytes: body.bytes })
    } finally {
      clearTimeout(timer)
      this.#probes.give(worker)
    }
  }

  async #runJob(
    plan: Plan,
    bodies: readonly Body[],
    options: JobOptions,
    lease: Pick<PlanLease, 'turn' | 'startedAt'>,
  ): Promise<{ answer: Answer; payload: Buffer | undefined; worker: WorkerProcess }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#runOnce(plan, bodies, options, lease)
      } catch (error) {
        if (!(error instanceof WorkerExit)) throw error
        const judged = this.#judge(error.exit, keyOf(bodies), {
          kind: 'render',
          format: plan.base.format,
          output: plan.output.format,
          bytes: bodies[0]?.bytes ?? 0,
        })
        // A death from outside says nothing of the input: once more, on a fresh process.
        if (judged.code !== 'worker-lost' || attempt > 1) throw judged
      }
    }
  }

  async #runOnce(
    plan: Plan,
    bodies: readonly Body[],
    options: JobOptions,
    lease: Pick<PlanLease, 'turn' | 'startedAt'>,
  ) {
    const worker = await this.#workers.take(options.signal, options.deadlineAt)
    const left = options.deadlineAt - performance.now()
    const cpuBefore = worker.cpuMs()
    // A full deadline of CPU was the input's own doing; a deadline spent waiting for the machine was not.
    const onDeadline = () => {
      const spentMs = worker.cpuMs() - cpuBefore
      this.#workers.end(worker, spentMs >= CPU_SHARE * this.#options.timeoutMs ? 'cpu' : 'deadline')
    }
    const timer = setTimeout(onDeadline, Math.max(1, left))
    const { promise: aborted, reject: leave } = Promise.withResolvers<never>()
    aborted.catch(() => undefined)
    let abandoned = false
    const onAbort = () => {
      const { startedAt } = lease
      const remaining = plan.estimate.cpuMs - (performance.now() - (startedAt ?? 0))
      if ((startedAt === undefined || remaining > WORTH_KILLING_MS) && this.#mayKill())
        this.#workers.end(worker, 'disconnect')
      abandoned = true
      leave(options.signal.reason)
    }
    options.signal.addEventListener('abort', onAbort, { once: true })
    this.#watch(worker, 2 * plan.estimate.memoryBytes)
    const request: Request = {
      kind: 'render',
      id: ++this.#jobs,
      plan,
      payloads: bodies.map(({ bytes }) => bytes),
    }
    const running = worker.run(
      request,
      bodies.flatMap(({ chunks }) => chunks),
      {
        turn: lease.turn,
        accepts: ({ answer, payload }) => answer.kind !== 'render' || matches(plan, answer, payload),
      },
    )
    const finished = running.finally(() => {
      clearTimeout(timer)
      this.#unwatch(worker)
      options.signal.removeEventListener('abort', onAbort)
      this.#workers.give(worker)
    })
    finished.catch(() => undefined)
    try {
      const { answer, payload } = await Promise.race([finished, aborted])
      if (answer.kind === 'error') throw this.#revive(answer)
      return { answer, payload, worker }
    } catch (error) {
      // The bytes a worker is still reading must stay where they are until it has them or is gone.
      if (abandoned) await finished.catch(() => undefined)
      throw error
    }
  }

  #mayKill(): boolean {
    const now = performance.now()
    this.#disconnectKills = this.#disconnectKills.filter((at) => now - at < 1000)
    if (this.#disconnectKills.length >= MAX_DISCONNECT_KILLS_PER_SECOND) return false
    this.#disconnectKills.push(now)
    return true
  }

  #watch(worker: WorkerProcess, bytes: number): void {
    this.#watched.set(worker, worker.idleBytes + bytes + MEMORY_SLACK_BYTES)
    this.#poll ??= setInterval(() => {
      for (const [busy, limit] of this.#watched)
        if (busy.residentBytes() > limit) this.#workers.end(busy, 'memory')
    }, POLL_MS)
  }

  #unwatch(worker: WorkerProcess): void {
    this.#watched.delete(worker)
    if (this.#watched.size > 0) return
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  /** What a death says, to the client and about the input. */
  #judge(exit: Exit, key: string, evidence: Record<string, string | number>): SluiceError {
    const { killed, signal, code, stderr } = exit
    this.#telemetry.log('warn', 'worker ended in a job', {
      ...evidence,
      hash: key,
      killed,
      signal,
      exitCode: code,
      stderr,
    })
    if (killed === 'cpu') {
      this.#telemetry.count('sluice_cpu_deadlines_total')
      this.#strike(key)
    }
    if (killed === 'deadline' || killed === 'cpu')
      return new SluiceError('deadline-exceeded', 'Cannot finish this picture in time')
    if (killed === 'disconnect') return new SluiceError('client-closed', 'The client left')
    if (killed === 'protocol') return new SluiceError('worker-protocol', 'An image worker answered wrongly')
    if (killed === 'shutdown')
      return new SluiceError('shutting-down', 'The service is shutting down', { retryAfterSeconds: 1 })
    if (killed === 'stderr') {
      this.#strike(key)
      return new SluiceError(
        'image-broken',
        'Cannot decode this image: the decoder reported a critical error',
        {
          internal: stderr,
        },
      )
    }
    const byInput =
      killed === 'memory' ||
      (signal !== null && DEADLY_SIGNALS.has(signal)) ||
      (signal === null && code !== null)
    if (!byInput)
      return new SluiceError('worker-lost', 'The image worker was lost, and so was the one after it', {
        retryAfterSeconds: 1,
      })
    this.#strike(key)
    return new SluiceError('decoder-crashed', 'Cannot decode this image: it crashed its decoder')
  }

  #strike(key: string): void {
    this.#strikes.add(key)
    this.#telemetry.count('sluice_strikes_total')
  }

  #revive(answer: Answer): SluiceError {
    if (answer.kind !== 'error') return new SluiceError('worker-protocol', 'An image worker answered wrongly')
    return new SluiceError(answer.code, answer.detail, {
      facts: answer.facts,
      ...(answer.internal === undefined ? {} : { internal: answer.internal }),
    })
  }
}

/** First bytes of each output format, as hexadecimal and offset. */
const MAGIC: Readonly<Record<string, readonly [string, number]>> = {
  jpeg: ['ffd8ff', 0],
  png: ['89504e47', 0],
  webp: ['57454250', 8],
  gif: ['474946', 0],
  avif: ['66747970', 4],
  tiff: ['', 0],
}

function matches(plan: Plan, answer: Answer & { kind: 'render' }, payload: Buffer | undefined): boolean {
  if (payload === undefined) return false
  const { format, size } = answer.result
  const [magic, at] = MAGIC[plan.output.format] ?? ['', 0]
  const sized = plan.exact
    ? size.width === plan.size.width && size.height === plan.size.height
    : size.width <= plan.size.width && size.height <= plan.size.height
  return (
    format === plan.output.format && sized && payload.toString('hex', at, at + magic.length / 2) === magic
  )
}

function keyOf(bodies: readonly Body[]): string {
  return bodies.map(({ sha256 }) => sha256).join('+')
}
