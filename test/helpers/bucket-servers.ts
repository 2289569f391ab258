import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../servers/', import.meta.url))
const azurite = join(folder, 'node_modules/azurite/dist/src/blob/main.js')

/** Whether `npm ci --prefix test/servers` has been run; `npm test` does it where it is needed. */
export const haveBucketServers = existsSync(azurite)

/** What every emulator of Azure takes; published by its makers, and no secret. */
export const AZURITE_ACCOUNT = 'devstoreaccount1'
export const AZURITE_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

/** The one key pair of the S3 server. */
export const S3_KEY_PAIR = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }

export interface BucketServer {
  readonly port: number
  close(): Promise<void>
}

/** S3 over a temporary folder; refuses wrong signatures, knows no versions. */
export async function startS3Server(...buckets: readonly string[]): Promise<BucketServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-s3-'))
  const child = spawn(process.execPath, [join(folder, 's3.cjs'), directory, ...buckets], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await firstLine(child, /^\d+$/)
  return {
    port: Number(line),
    async close() {
      await end(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Azure Blob Storage in memory; refuses wrong signatures. */
export async function startAzureServer(): Promise<BucketServer> {
  const port = await freePort()
  const options = ['--inMemoryPersistence', '--silent', '--skipApiVersionCheck', '--disableTelemetry']
  // It writes a debug log and a lock where it stands, unless that is a folder of its own.
  const directory = await mkdtemp(join(tmpdir(), 'sluice-azure-'))
  const child = spawn(process.execPath, [azurite, '--blobPort', String(port), ...options], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await firstLine(child, /successfully listen/)
  return {
    port,
    async close() {
      await end(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}`)))
    lines.on('line', (line) => {
      if (pattern.test(line)) resolve(line)
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
