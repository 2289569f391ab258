import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import type { Config } from './config/index.ts'
import { createEngine, type Engine } from './engine/index.ts'
import { SluiceError } from './errors/index.ts'
import { createAdminServer, createServer, HotPath, type ServerDependencies } from './http/index.ts'
import { createPolicy, createService, createSourceAccess, isLoopbackHost } from './service/index.ts'
import { createSourceCipher } from './signing/index.ts'
import { createSources, type Outside } from './sources/index.ts'
import {
  createDiskStore,
  createMemoryStore,
  createNullStore,
  createS3Store,
  createTieredStore,
  parseS3Address,
  type Store,
} from './store/index.ts'
import { createMetrics, type Telemetry } from './telemetry/index.ts'

/** While it shuts down, connections that became idle are ended this often. */
const IDLE_SWEEP_MS = 50

/** A service that runs. */
export interface Running {
  readonly url: string
  readonly adminUrl: string | undefined
  readonly engine: Engine
  /** Resolves when every worker is ready. */
  readonly ready: Promise<void>
  readonly telemetry: Telemetry
  /** Stops: readiness falls at once, listeners close after the grace period, what runs may finish. */
  close(options?: { readonly graceMs?: number; readonly timeoutMs?: number }): Promise<void>
}

export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version

/**
 * Wires every folder and starts the listeners; work is done as soon as the workers are ready.
 *
 * @param outside What stands for the world outside in tests.
 * @throws {SluiceError} `config-invalid`.
 */
export async function startSluice(config: Config, outside: Outside = {}): Promise<Running> {
  const loopback = isLoopbackHost(config.host)
  if (!loopback && config.keys.length === 0 && !config.allowUnsigned) {
    throw new SluiceError(
      'config-invalid',
      `SLUICE_HOST: listening on "${config.host}" needs SLUICE_KEYS, or SLUICE_ALLOW_UNSIGNED=true`,
    )
  }
  const metrics = createMetrics()
  const logger = pino(
    { level: config.logLevel, base: { service: 'sluice' } },
    pino.destination({ fd: 2, sync: false }),
  )
  const telemetry: Telemetry = {
    ...metrics,
    log: (level, message, facts = {}) => logger[level](facts, message),
  }
  const engine = createEngine(config, telemetry)
  const stores = await createStores(config, telemetry)
  const sources = createSources({ ...config, loopback }, telemetry, outside)
  const service = createService({
    engine,
    sources: createSourceAccess({
      sources,
      store: stores.sources,
      engine,
      telemetry,
      maxSourceBytes: config.maxSourceBytes,
      defaultMaxAgeSeconds: config.sourceMaxAgeSeconds,
      staleWhileRevalidateSeconds: config.sourceStaleSeconds,
      staleIfErrorSeconds: config.sourceStaleIfErrorSeconds,
    }),
    store: stores.variants,
    limits: config,
    options: config,
    timeoutMs: config.timeoutMs,
    telemetry,
    pipeline: version,
    autoFormats: config.autoFormats,
    ...(config.sourceKey === undefined ? {} : { cipher: createSourceCipher(config.sourceKey) }),
  })
  const policy = createPolicy({
    keys: config.keys,
    allowUnsigned: config.allowUnsigned,
    apiKeys: config.apiKeys,
    requireExpiry: config.requireExpiry,
    loopback,
  })
  let draining = false
  const dependencies: ServerDependencies = {
    engine,
    service,
    policy,
    options: config,
    delivery: config,
    adminToken: config.adminToken,
    maxUploadBytes: config.maxUploadBytes,
    root: config.root,
    version,
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    hot: new HotPath({ telemetry, admitsUnsigned: policy.admitsUnsigned, draining: () => draining }),
    metrics,
    telemetry,
    draining: () => draining,
  }
  const server = createServer(dependencies)
  const hasAdmin = config.adminPort !== 'off' && config.adminHost !== 'off'
  const admin = hasAdmin ? createAdminServer(dependencies) : undefined
  const abort = new AbortController()
  try {
    const url = await server.listen({ host: config.host, port: config.port })
    const adminUrl = await admin?.listen({ host: config.adminHost, port: config.adminPort as number })
    telemetry.log('info', 'listening', { url, adminUrl, version })
    const ready = engine.start(abort.signal).then(() => reportReady(engine, telemetry))
    ready.catch(() => undefined)
    return { url, adminUrl, engine, ready, telemetry, close }
  } catch (error) {
    await Promise.allSettled([
      server.close(),
      admin?.close(),
      engine.close(),
      sources.close(),
      stores.close(),
    ])
    const { code, port } = error as NodeJS.ErrnoException & { port?: number }
    if (code === 'EADDRINUSE')
      throw new SluiceError(
        'config-invalid',
        `${port === config.adminPort ? 'SLUICE_ADMIN_PORT' : 'SLUICE_PORT'}: port ${port} is in use`,
        { cause: error },
      )
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new SluiceError('config-invalid', `SLUICE_HOST: cannot listen on "${config.host}" (${code})`, {
        cause: error,
      })
    throw error
  }

  async function close({
    graceMs = config.shutdownGraceMs,
    timeoutMs = config.shutdownTimeoutMs,
  } = {}): Promise<void> {
    draining = true
    telemetry.log('info', 'shutting down', { graceMs })
    await new Promise((resolve) => setTimeout(resolve, graceMs))
    const closed = Promise.all([server.close(), admin?.close()])
    // A connection that was at work above is idle once it has its answer, and would be kept alive.
    const sweep = setInterval(() => {
      server.server.closeIdleConnections()
      admin?.server.closeIdleConnections()
    }, IDLE_SWEEP_MS)
    const late = setTimeout(() => {
      server.server.closeAllConnections()
      admin?.server.closeAllConnections()
    }, timeoutMs)
    await closed
    clearInterval(sweep)
    clearTimeout(late)
    abort.abort()
    await engine.close()
    await Promise.all([sources.close(), stores.close()])
    await new Promise<void>((resolve) => logger.flush(() => resolve()))
  }
}

/** What is kept: variants in memory, on disk and in a bucket, remote sources on disk. */
async function createStores(config: Config, telemetry: Telemetry) {
  const { cacheDir, cacheMemory, cacheDisk, sourceCacheDisk, cacheS3 } = config
  const onDisk = (name: string, maxBytes: number | 'off'): Store | undefined =>
    cacheDir === 'off' || maxBytes === 'off' || maxBytes === 0
      ? undefined
      : createDiskStore({ folder: join(cacheDir, name), maxBytes, name, telemetry })
  const memory =
    cacheMemory === 'off'
      ? undefined
      : createMemoryStore({ maxBytes: cacheMemory, name: 'memory', telemetry })
  const bucket =
    cacheS3 === undefined
      ? undefined
      : await createS3Store({
          ...parseS3Address(cacheS3),
          ...bucketSettings(config, cacheS3),
          name: 's3',
          telemetry,
        })
  const tiers = [memory, onDisk('variants', cacheDisk), bucket].filter((tier) => tier !== undefined)
  const variants = createTieredStore(tiers, { telemetry, name: 'variants' })
  const sources = onDisk('sources', sourceCacheDisk) ?? createNullStore()
  return {
    variants,
    sources,
    close: async () => {
      await Promise.all([variants.close(), sources.close()])
    },
  }
}

/** A bucket of the cache that is also a named one has its endpoint and credentials. */
function bucketSettings({ buckets }: Config, address: string) {
  const { bucket } = parseS3Address(address)
  const found = buckets.find((candidate) => candidate.kind === 's3' && candidate.bucket === bucket)
  if (found?.kind !== 's3') return {}
  const { endpoint, region, pathStyle, credentials } = found
  return {
    region,
    pathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  }
}

/** Codecs with published holes below these versions. */
const FLOORS: Readonly<Record<string, string>> = {
  heif: '1.23.7',
  webp: '1.3.2',
  rsvg: '2.63.2',
  vips: '8.18.3',
}

function reportReady(engine: Engine, telemetry: Telemetry): void {
  const { sandbox, versions, workers } = engine.status()
  telemetry.log(sandbox.missing === undefined ? 'info' : 'warn', 'ready', {
    sandbox: sandbox.level,
    missing: sandbox.missing,
    workers: workers.size,
    versions,
  })
  for (const [codec, found] of Object.entries(versions))
    telemetry.gauge('sluice_codec_info', 1, { codec, version: found })
  for (const [name, floor] of Object.entries(FLOORS)) {
    const found = versions[name]
    if (found !== undefined && older(found, floor))
      telemetry.log('warn', 'a codec is below its safe version; the sandbox is what contains it', {
        codec: name,
        version: found,
        floor,
      })
  }
}

function older(found: string, floor: string): boolean {
  return found.localeCompare(floor, 'en', { numeric: true }) < 0
}
