import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * There is no maintained emulator of Google Cloud Storage as an npm package. So the SDK's own endpoint override leads to
 * this small server: it answers the one request that the source makes, after checking its path, its query and its
 * signed token. What it does not show: exchange of tokens, and how the real service words its errors.
 */

export interface GcsServer {
  readonly port: number
  /** Key file of the one service account that may read. */
  readonly keyFile: string
  put(key: string, bytes: Uint8Array, headers?: Readonly<Record<string, string>>): string
  close(): Promise<void>
}

interface Stored {
  readonly bytes: Uint8Array
  readonly generation: string
  readonly modified: Date
  readonly headers: Readonly<Record<string, string>>
}

/** Keeps all generations of the objects of one bucket. */
export async function startGcsServer(bucket: string): Promise<GcsServer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const objects = new Map<string, Stored[]>()
  let generation = 1_700_000_000_000_000
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    const refuse = (status: number, message: string) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { code: status, message } }))
    }
    const path = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/.exec(url.pathname)
    if (request.method !== 'GET' || path === null || url.searchParams.get('alt') !== 'media')
      return refuse(400, 'Not a request for the bytes of an object')
    if (
      !isSigned(request.headers.authorization, publicKey.export({ type: 'spki', format: 'pem' }).toString())
    )
      return refuse(401, 'Invalid Credentials')
    if (decodeURIComponent(path[1] as string) !== bucket)
      return refuse(404, 'The specified bucket does not exist.')
    const wanted = url.searchParams.get('generation')
    const found = objects
      .get(decodeURIComponent(path[2] as string))
      ?.findLast((stored) => wanted === null || stored.generation === wanted)
    if (found === undefined) return refuse(404, 'No such object')
    const etag = `"${createHash('md5').update(found.bytes).digest('hex')}"`
    const headers = {
      etag,
      'last-modified': found.modified.toUTCString(),
      'x-goog-generation': found.generation,
      ...found.headers,
    }
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, headers).end()
    response.writeHead(200, { ...headers, 'content-length': found.bytes.byteLength })
    response.end(found.bytes)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    keyFile: JSON.stringify({
      type: 'service_account',
      project_id: 'sluice',
      client_email: 'images@sluice.example',
      private_key_id: 'test',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      // In any universe but Google's own the SDK signs its tokens itself and asks no server for them.
      universe_domain: 'sluice.example',
    }),
    put(key, bytes, headers = {}) {
      generation += 1
      const stored = { bytes, generation: String(generation), modified: new Date(), headers }
      objects.set(key, [...(objects.get(key) ?? []), stored])
      return stored.generation
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function isSigned(authorization: string | undefined, publicKey: string): boolean {
  const [head, body, signature] = (authorization ?? '').replace(/^Bearer /, '').split('.')
  if (head === undefined || body === undefined || signature === undefined) return false
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss?: string; exp?: number }
  if (claims.iss !== 'images@sluice.example' || (claims.exp ?? 0) < Date.now() / 1000) return false
  const signed = Buffer.from(`${head}.${body}`)
  return verify('RSA-SHA256', signed, createPublicKey(publicKey), Buffer.from(signature, 'base64url'))
}
