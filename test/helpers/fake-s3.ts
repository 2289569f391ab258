import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A bucket in memory that speaks as much of S3 as the store asks. */
export async function startFakeS3() {
  const objects = new Map<string, Buffer>()
  let broken: boolean | 'silent' = false
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (broken === 'silent') return
    if (broken) return void response.writeHead(500).end()
    const url = new URL(request.url ?? '/', 'http://s3')
    const name = decodeURIComponent(url.pathname).split('/').slice(2).join('/')
    if (request.method === 'GET' && url.searchParams.get('list-type') === '2') {
      const prefix = url.searchParams.get('prefix') ?? ''
      const names = [...objects.keys()].filter((key) => key.startsWith(prefix)).slice(0, 1000)
      const contents = names.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
      return void response.end(`<?xml version="1.0"?><ListBucketResult>${contents}</ListBucketResult>`)
    }
    if (request.method === 'PUT') {
      objects.set(name, Buffer.concat(chunks))
      return void response.end()
    }
    const object = objects.get(name)
    if (request.method === 'DELETE') {
      objects.delete(name)
      return void response.writeHead(204).end()
    }
    if (object === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-length': object.length })
    response.end(request.method === 'HEAD' ? undefined : object)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    objects,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Answers 500, or nothing at all. */
    setBroken(value: boolean | 'silent') {
      broken = value
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
