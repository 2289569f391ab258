import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import type { InputLease } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'

const FIELDS = new Set(['photo', 'file', 'image'])
const SLOW_WINDOW_MS = 5000
const SLOW_BYTES = 5000

export interface ReceiveOptions {
  readonly lease: InputLease
  readonly signal: AbortSignal
}

/**
 * Reads an upload into its lease: the one file part of a multipart form, or the raw body. Nothing is read from
 * the socket while the lease has no room.
 *
 * @returns Bytes received.
 * @throws {SluiceError} `upload-malformed`, `upload-missing`, `upload-too-large`, `body-encoded`, `body-too-slow`.
 */
export async function receiveUpload(
  request: IncomingMessage,
  { lease, signal }: ReceiveOptions,
): Promise<number> {
  const { 'content-encoding': encoding = 'identity', 'content-type': type = '' } = request.headers
  if (encoding !== 'identity')
    throw new SluiceError(
      'body-encoded',
      `Cannot take a body with Content-Encoding "${encoding.slice(0, 40)}"`,
    )
  const counted = { bytes: 0 }
  const write = async (chunk: Uint8Array) => {
    await lease.write(chunk)
    counted.bytes += chunk.length
  }
  const body = paced(request, signal)
  if (/^multipart\//i.test(type)) await receiveForm(request, body, type, write)
  else for await (const chunk of body) await write(chunk)
  if (counted.bytes === 0)
    throw new SluiceError('upload-missing', 'Cannot find an image in this upload: it is empty')
  return counted.bytes
}

/** The body with a lowest speed, counted only while the server is the one that waits. */
async function* paced(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  let windowBytes = 0
  let waitedMs = 0
  const chunks = request.iterator({ destroyOnReturn: false })
  try {
    for (;;) {
      const startedAt = performance.now()
      const next = await within(chunks.next(), SLOW_WINDOW_MS, signal)
      if (next.done === true) return
      waitedMs += performance.now() - startedAt
      windowBytes += (next.value as Buffer).length
      if (waitedMs >= SLOW_WINDOW_MS) {
        if (windowBytes < SLOW_BYTES) throw tooSlow()
        waitedMs = 0
        windowBytes = 0
      }
      yield next.value as Buffer
    }
  } finally {
    // Lets go of the stream, so that the rest can be dropped by whoever answers.
    void chunks.return?.()
  }
}

async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(tooSlow()), ms)
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, stopped])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function tooSlow(): SluiceError {
  return new SluiceError('body-too-slow', 'Cannot wait for this body: it comes at less than 1 kB/s')
}

async function receiveForm(
  request: IncomingMessage,
  body: AsyncIterable<Buffer>,
  type: string,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type)
  const name = boundary?.[1] ?? boundary?.[2] ?? ''
  if (name === '' || name.length > 70) throw malformed('its boundary is missing or longer than 70 characters')
  const form = openForm(request)
  // Settled by whatever ends the form first; the rest of the body is not parsed then.
  const over = Promise.withResolvers<void>()
  // Rejects with the failure and says nothing of the good end.
  const failed = over.promise.then(() => new Promise<never>(() => {}))
  failed.catch(() => undefined)
  const fail = (error: unknown) => over.reject(error)
  let files = 0
  let pending: Promise<void> = Promise.resolve()
  form.on('file', (field: string, stream: Readable) => {
    files += 1
    // Ends together with the form: whatever breaks it has been told there.
    stream.on('error', fail)
    if (!FIELDS.has(field) || files > 1) {
      fail(files > 1 ? malformed('it holds more than one file') : missing(field))
      stream.resume()
      return
    }
    pending = pump(stream, write).catch(fail)
  })
  for (const event of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
    form.on(event, () => fail(malformed('it has too many parts')))
  form.on('field', (_name: string, _value: string, nameCut: boolean, valueCut: boolean) => {
    if (nameCut || valueCut) fail(malformed('a field is longer than 1 KiB'))
  })
  form.on('error', (error: unknown) =>
    fail(
      new SluiceError('upload-malformed', 'Cannot read this multipart body: it is broken', { cause: error }),
    ),
  )
  form.on('finish', () => over.resolve())
  try {
    for await (const chunk of body) {
      // A write comes back when the part before it has been taken: the socket waits for the lease.
      const taken = new Promise<void>((resolve) => form.write(chunk, () => resolve()))
      await Promise.race([taken, failed])
    }
    form.end()
    await over.promise
    await Promise.race([pending, failed])
  } catch (error) {
    form.destroy()
    throw error
  }
  if (files === 0) throw missing(undefined)
}

function openForm(request: IncomingMessage): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { ...request.headers, 'content-type': request.headers['content-type'] ?? '' },
      limits: {
        files: 2,
        fields: 5,
        parts: 8,
        fieldNameSize: 1024,
        fieldSize: 1024,
        headerPairs: 20,
        headerSize: 20 * 1024,
      },
    })
  } catch (error) {
    throw new SluiceError('upload-malformed', 'Cannot read this multipart body: its header is broken', {
      cause: error,
    })
  }
}

async function pump(stream: Readable, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const chunk of stream) await write(chunk as Buffer)
}

function malformed(why: string): SluiceError {
  return new SluiceError('upload-malformed', `Cannot read this upload: ${why}`)
}

function missing(field: string | undefined): SluiceError {
  const found =
    field === undefined ? 'there is no file part' : `the file part is called "${field.slice(0, 60)}"`
  return new SluiceError(
    'upload-missing',
    `Cannot find an image in this upload: ${found}, expected "photo" (or "file", "image")`,
  )
}

const LINGER_MS = 1000
const LINGER_BYTES = 4 * 1024 * 1024

/**
 * Lets a client that still sends read its refusal: what comes is dropped for at most 1 s or 4 MiB, then `close`
 * is called. Closing at once would reset the connection and lose the answer.
 */
export function linger(request: IncomingMessage, close: () => void): void {
  let dropped = 0
  let open = true
  const finish = () => {
    if (!open) return
    open = false
    clearTimeout(timer)
    close()
  }
  const timer = setTimeout(finish, LINGER_MS)
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > LINGER_BYTES) finish()
  })
  request.once('close', finish)
  request.once('end', finish)
  request.once('error', finish)
  request.resume()
  if (request.complete || request.destroyed) finish()
}
