import { readFileSync } from 'node:fs'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import type { Cell, Sample } from './party.ts'

const agent = new Agent({ keepAlive: true, maxSockets: 256 })

export interface Answer {
  readonly status: number
  readonly body: Buffer
  readonly headers: IncomingHttpHeaders
}

/** One request over a kept connection; the body is read to its end. */
export function ask(url: string, body?: { readonly type: string; readonly bytes: Buffer }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body && { 'content-type': body.type, 'content-length': body.bytes.length }
    const options = { agent, method: body ? 'POST' : 'GET', ...(headers ? { headers } : {}) }
    const sent = request(url, options, (answer: IncomingMessage) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks), headers: answer.headers }),
      )
    })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // The server closed a kept connection just as it was taken again: nothing was asked yet.
      if (sent.reusedSocket && error.code === 'ECONNRESET') ask(url, body).then(resolve, reject)
      else reject(error)
    })
    sent.end(body?.bytes)
  })
}

/** `clients` loops that each send the next request when the last is answered, until time is up. */
export async function closedLoop(
  { clients, files }: Cell,
  milliseconds: number,
  send: (file: string) => Promise<number>,
): Promise<Sample> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const latencies: number[] = []
  let refused = 0
  let next = 0
  const loop = async () => {
    while (performance.now() - startedAt < milliseconds) {
      const file = files[next++ % files.length] as string
      const sentAt = performance.now()
      const status = await send(file)
      if (status === 503) {
        refused += 1
        // A refused client waits, as `Retry-After` asks, though not for whole seconds.
        await new Promise((resolve) => setTimeout(resolve, 200))
        continue
      }
      if (status !== 200) throw new Error(`Unexpected status ${status} for ${file}`)
      latencies.push(performance.now() - sentAt)
    }
  }
  await Promise.all(Array.from({ length: clients }, loop))
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return {
    done: latencies.length,
    refused,
    seconds,
    latencies,
    generatorCpu: (user + system) / 1e6 / seconds,
  }
}

/** `run` and `once` of a party that speaks HTTP. */
export function overHttp(urlOf: (cell: Cell, file: string) => string) {
  const bodies = new Map<string, Buffer>()
  const send = (cell: Cell, file: string): Promise<Answer> => {
    const url = urlOf(cell, file)
    if (cell.kind !== 'upload') return ask(url)
    const path = join(cell.folder, file)
    if (!bodies.has(path)) bodies.set(path, form(readFileSync(path)))
    return ask(url, { type: `multipart/form-data; boundary=${BOUNDARY}`, bytes: bodies.get(path) as Buffer })
  }
  return {
    once: async (cell: Cell) => {
      const { status, body } = await send(cell, cell.files[0] as string)
      if (status !== 200) throw new Error(`Status ${status}: ${body.toString('utf8', 0, 200)}`)
      return body
    },
    run: (cell: Cell, milliseconds: number) =>
      closedLoop(cell, milliseconds, async (file) => (await send(cell, file)).status),
  }
}

const BOUNDARY = 'bench-boundary'

function form(photo: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="photo"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n`,
    ),
    photo,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ])
}
