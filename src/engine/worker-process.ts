import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Answer, isAnswer, type Request } from './messages.ts'
import { encodeHeader, MessageReader } from './protocol.ts'
import type { SandboxStatus } from './types.ts'

/** Why the server ended a worker itself. */
export type KillReason =
  | 'deadline'
  | 'cpu'
  | 'memory'
  | 'disconnect'
  | 'protocol'
  | 'shutdown'
  | 'recycle'
  | 'stderr'
  | 'sandbox'

/** How a worker ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Set when the server did it. */
  readonly killed: KillReason | undefined
  readonly stderr: string
}

/** A job's worker ended before it answered. */
export class WorkerExit extends Error {
  readonly exit: Exit

  constructor(exit: Exit) {
    super(`The worker ended (${exit.killed ?? exit.signal ?? exit.code})`)
    this.exit = exit
  }
}

export interface SpawnOptions {
  readonly kind: 'worker' | 'probe'
  /** Arguments of node up to and with the script; the launcher puts itself in front. */
  readonly command: readonly string[]
  /** Largest answer payload, bytes. */
  readonly maxPayloadBytes: number
}

const STDERR_TAIL = 4096
/** How GLib marks an error after which it goes on all the same. */
const CRITICAL = 'CRITICAL'
const LAST_WORDS_MS = 200
const NOW = Promise.resolve()

// glibc's arenas keep freed memory for themselves: one arena and early trimming halve what a worker holds. Blocks
// under 1 MiB stay on the heap, which the next job finds warm (3 to 5 % of its time).
const ENVIRONMENT: NodeJS.ProcessEnv = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '1048576',
  VIPS_CONCURRENCY: '1',
  VIPS_BLOCK_UNTRUSTED: '1',
  UV_THREADPOOL_SIZE: '2',
  OPENSSL_CONF: '/dev/null',
  NODE_ENV: 'production',
}

export function entryPath(kind: 'worker' | 'probe'): string {
  return fileURLToPath(new URL(`../worker/${kind}.ts`, import.meta.url))
}

let ids = 0

/** What a worker answered. */
export interface Reply {
  readonly answer: Answer
  readonly payload: Buffer | undefined
}

interface Pending {
  readonly request: Request
  readonly accepts: (reply: Reply) => boolean
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  /** Its whole answer has come. */
  answered: boolean
}

/** One child process: runs one request at a time, and is never trusted. */
export class WorkerProcess {
  readonly id = ++ids
  readonly ready: Promise<Readonly<Record<string, string>>>
  readonly exited: Promise<Exit>
  /** What isolates it, as its launcher reported before any worker code ran. */
  sandbox: SandboxStatus = { level: 'none' }
  jobs = 0
  /** Whether it has ever been ready. */
  started = false
  /** Resident memory after it was ready, bytes. */
  idleBytes = 0
  readonly #child: ChildProcess
  readonly #socket: Duplex
  readonly #maxPayload: number
  readonly #reader: MessageReader<Answer>
  #killed: KillReason | undefined
  #stderr = ''
  #critical = false
  #pending: Pending | undefined
  #gone: WorkerExit | undefined

  constructor({ command, maxPayloadBytes }: SpawnOptions) {
    this.#maxPayload = maxPayloadBytes
    const [program, ...args] = command as [string, ...string[]]
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: ENVIRONMENT,
      cwd: '/',
    })
    this.#socket = this.#child.stdio[3] as Duplex
    const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, string>>>()
    this.ready = promise
    // Whoever waits sees the failure; without a waiter the exit is handled by the pool.
    this.ready.catch(() => undefined)
    this.#reader = new MessageReader<Answer>({
      check: (header) => this.#refusal(header),
      onMessage: (answer, payloads) => {
        if (answer.kind === 'sandbox') {
          const { level, missing } = answer
          this.sandbox = missing === undefined ? { level } : { level, missing }
          return
        }
        if (answer.kind === 'ready') {
          this.started = true
          this.idleBytes = this.residentBytes()
          resolve(answer.versions)
          return
        }
        if (this.#pending === undefined) return
        this.#pending.answered = true
        // What came along with the answer, on stderr or behind it, is read before the answer counts.
        setImmediate(() => this.#conclude({ answer, payload: payloads[0] }))
      },
      onError: () => this.kill('protocol'),
    })
    this.#socket.on('data', (chunk: Buffer) => this.#reader.push(chunk))
    // A worker that dies while bytes are on their way breaks the pipe; its exit tells why.
    this.#socket.on('error', () => undefined)
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#note(chunk))
    this.exited = new Promise((done) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        if (signal === null && this.#reader.inside) this.#killed ??= 'protocol'
        const exit = { code, signal, killed: this.#killed, stderr: this.#stderr }
        const error = new WorkerExit(exit)
        this.#gone = error
        this.#pending?.reject(error)
        this.#pending = undefined
        reject(error)
        done(exit)
      }
      // Its last words may still be on their way when it is gone.
      this.#child.once('exit', (code, signal) => {
        const timer = setTimeout(end, LAST_WORDS_MS, code, signal)
        this.#child.once('close', () => {
          clearTimeout(timer)
          end(code, signal)
        })
      })
      this.#child.once('error', (error) => {
        this.#stderr += String(error)
        end(null, null)
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Whether it has gone, or is about to because the server ended it. */
  get ended(): boolean {
    return this.#killed !== undefined || this.#gone !== undefined
  }

  /**
   * Sends a request with its payloads and waits for the answer.
   *
   * @param options.accepts Judges an answer of the right form; one that is refused ends the process.
   * @param options.turn The last bytes, and with them the start, wait for this. A rejection ends the process.
   * @throws {WorkerExit} when the process ends first; what `turn` was rejected with.
   */
  run(
    request: Request,
    chunks: readonly Uint8Array[],
    {
      accepts = () => true,
      turn = NOW,
    }: { readonly accepts?: (reply: Reply) => boolean; readonly turn?: Promise<void> } = {},
  ): Promise<Reply> {
    if (this.#pending !== undefined) throw new Error('A worker runs one job at a time')
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    this.jobs += 1
    this.#critical = false
    return new Promise((resolve, reject) => {
      const pending = { request, accepts, resolve, reject, answered: false }
      this.#pending = pending
      const last = chunks.at(-1)
      this.#socket.cork()
      this.#socket.write(encodeHeader(request))
      for (const chunk of chunks.slice(0, -1)) this.#socket.write(chunk)
      this.#socket.uncork()
      turn.then(
        () => {
          if (this.#pending === pending && last !== undefined) this.#socket.write(last)
        },
        (error: unknown) => {
          if (this.#pending !== pending) return
          this.#pending = undefined
          this.kill('recycle')
          reject(error as Error)
        },
      )
    })
  }

  /** Ends the process at once; the only stop that a codec cannot ignore. */
  kill(reason: KillReason): void {
    this.#killed ??= reason
    this.#child.kill('SIGKILL')
  }

  /** Resident memory, bytes; 0 where the system does not tell. */
  residentBytes(): number {
    try {
      return Number(readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1] ?? 0) * 4096
    } catch {
      // Gone, or no /proc on this system: there is nothing to hold against a limit.
      return 0
    }
  }

  /** CPU time used so far, ms; 0 where the system does not tell. */
  cpuMs(): number {
    try {
      const fields = readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
    } catch {
      return 0
    }
  }

  /** The answer stands when nothing speaks against it; else the process ends, and the job with it. */
  #conclude(reply: Reply): void {
    const pending = this.#pending
    if (pending === undefined || this.ended) return
    // GLib reported a critical error: the pixels cannot be trusted.
    if (this.#critical) this.kill('stderr')
    else if (this.#reader.inside || !pending.accepts(reply)) this.kill('protocol')
    else {
      this.#pending = undefined
      pending.resolve(reply)
    }
  }

  #refusal(header: Answer): string | undefined {
    if (!isAnswer(header)) return 'not an answer'
    const total = header.payloads.reduce<number>((sum, bytes) => sum + bytes, 0)
    if (total > this.#maxPayload) return `payload of ${total} bytes`
    if (header.kind === 'ready' || header.kind === 'sandbox')
      return this.started || header.payloads.length > 0 ? 'greeting out of turn' : undefined
    const { request, answered } = this.#pending ?? {}
    if (request === undefined || answered === true) return 'answer without a job'
    if (header.id !== request.id || !fits(header, request)) return 'answer to another job'
    return header.payloads.length === (header.kind === 'render' ? 1 : 0)
      ? undefined
      : 'wrong number of payloads'
  }

  #note(chunk: Buffer): void {
    const text = this.#stderr.slice(-CRITICAL.length) + chunk.toString('utf8')
    if (text.includes(CRITICAL)) this.#critical = true
    this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-STDERR_TAIL)
  }
}

function fits(answer: Answer, request: Request): boolean {
  if (answer.kind === 'more') return request.kind === 'probe' && (request.payloads[0] ?? 0) < request.bytes
  return answer.kind === 'error' || answer.kind === request.kind
}
