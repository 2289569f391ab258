import { writeSync } from 'node:fs'
import type { Answer, Request } from '../../../src/engine/messages.ts'
import { encodeHeader, readMessageSync, WORKER_FD, writeMessageSync } from '../../../src/engine/protocol.ts'
import { runPlan } from '../../../src/worker/run-plan.ts'

/*
 * An image worker that an attacker took over: honest, except for plans whose result is `HOSTILE_WIDTH` px wide.
 *
 *   node hostile-worker.ts <what it does then>
 */

const HOSTILE_WIDTH = 66
const [misdeed = ''] = process.argv.slice(2)
const say = (header: object, ...payloads: Uint8Array[]) =>
  writeMessageSync(WORKER_FD, header as Answer, payloads)
const frame = (header: object) => encodeHeader(header as Answer)
const html = Buffer.from('<!doctype html><script>alert(1)</script>')

type Honest = { readonly answer: Answer & { kind: 'render' }; readonly payload: Buffer }

/** What it says instead of the honest answer. */
const misdeeds: Readonly<Record<string, (honest: Honest) => void>> = {
  'a frame that ends too early': ({ answer, payload }) => {
    writeSync(WORKER_FD, Buffer.concat([frame(answer), payload]).subarray(0, -10))
    process.exit(0)
  },
  'a header that ends too early': ({ answer }) => {
    writeSync(WORKER_FD, frame(answer).subarray(0, 20))
    process.exit(0)
  },
  'more bytes than announced': ({ answer, payload }) =>
    void writeSync(WORKER_FD, Buffer.concat([frame(answer), payload, Buffer.alloc(3)])),
  'two answers': ({ answer, payload }) =>
    void writeSync(WORKER_FD, Buffer.concat([frame(answer), payload, frame(answer), payload])),
  'two payloads': ({ answer, payload }) =>
    say({ ...answer, payloads: [payload.length, payload.length] }, payload, payload),
  'no payload': ({ answer }) => say({ ...answer, payloads: [] }),
  'a payload of 4 GB': ({ answer, payload }) => say({ ...answer, payloads: [2 ** 32] }, payload),
  'a negative length': ({ answer, payload }) => say({ ...answer, payloads: [-1] }, payload),
  'a header of 4 GB': () => void writeSync(WORKER_FD, Buffer.from('ffffffff7b7d', 'hex')),
  'an empty header': () => void writeSync(WORKER_FD, Buffer.alloc(4)),
  'a header that is no JSON': () => void writeSync(WORKER_FD, Buffer.from('000000057b7b7b7b7b', 'hex')),
  'the id of another job': ({ answer, payload }) => say({ ...answer, id: answer.id + 1 }, payload),
  'HTML instead of a picture': ({ answer }) => say({ ...answer, payloads: [html.length] }, html),
  'a picture of another format': ({ answer, payload }) =>
    say({ ...answer, result: { ...answer.result, format: 'webp' } }, payload),
  'a picture of another size': ({ answer, payload }) =>
    say({ ...answer, result: { ...answer.result, size: { width: 5000, height: 5000 } } }, payload),
  'a render without facts': ({ answer, payload }) => say({ ...answer, result: undefined }, payload),
  'the answer to another question': ({ answer: { id } }) =>
    say({ kind: 'probe', id, probe: {}, payloads: [] }),
  'a kind that is not known': ({ answer: { id } }) => say({ kind: 'own', id, payloads: [] }),
  'an error that is not known': ({ answer: { id } }) =>
    say({ kind: 'error', id, code: '__proto__', detail: 'x', facts: {}, payloads: [] }),
  'a second greeting': ({ answer, payload }) => {
    say({ kind: 'sandbox', level: 'landlock+seccomp+rlimits', payloads: [] })
    say(answer, payload)
  },
  abort: () => process.abort(),
  hang() {
    for (;;);
  },
  allocate() {
    const held: Buffer[] = []
    for (;;) held.push(Buffer.alloc(16 * 1024 * 1024, held.length + 1))
  },
  'critical message': ({ answer, payload }) => {
    writeSync(2, '(process:1): GLib-GObject-CRI')
    writeSync(2, 'TICAL **: g_object_ref: assertion failed\n')
    say(answer, payload)
  },
  'stderr flood': ({ answer, payload }) => {
    const line = Buffer.alloc(1024 * 1024, 'warning ')
    for (let i = 0; i < 100; i++) {
      for (let at = 0; at < line.length; ) at += writeSome(line.subarray(at))
    }
    say(answer, payload)
  },
}

/** The pipe is non-blocking where the server made it so. */
function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(2, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

say({ kind: 'ready', versions: {}, payloads: [] })
for (;;) {
  const message = readMessageSync<Request>(WORKER_FD)
  if (message === undefined || message.header.kind !== 'render') break
  const { id, plan } = message.header
  const { data, width, height, frames } = await runPlan(plan, message.payloads)
  const result = {
    format: plan.output.format,
    size: { width, height },
    frames,
    totalMs: 1,
    peakBytes: 1,
    cpuMs: 1,
  }
  const answer = { kind: 'render', id, result, payloads: [data.length] } as const
  if (width === HOSTILE_WIDTH) misdeeds[misdeed]?.({ answer, payload: data })
  else say(answer, data)
}
