import { readFile, writeFile } from 'node:fs/promises'
import { parseRecipe } from '../dialects/index.ts'
import { type Body, createEngine } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import {
  createService,
  createSourceAccess,
  describeProbe,
  isLoopbackHost,
  type RequestContext,
  type Service,
} from '../service/index.ts'
import { createSources } from '../sources/index.ts'
import { createNullStore } from '../store/index.ts'
import { silentTelemetry } from '../telemetry/index.ts'
import { type Arguments, configOf } from './config-of.ts'

/** `sluice transform <in> <recipe> [-o out]`: the service's road without HTTP. */
export async function transform({ positional, flags, own }: Arguments): Promise<number> {
  const [input, recipe, ...rest] = positional
  if (input === undefined || recipe === undefined || rest.length > 0)
    throw new SluiceError('parameter-invalid', 'Expected: sluice transform <in> <recipe> [-o <out>]')
  const output = own.output ?? '-'
  if (output === '-' && process.stdout.isTTY)
    throw new SluiceError(
      'parameter-invalid',
      'Cannot write a picture to a terminal: give -o <file> or redirect',
    )
  // Judged before anything is started for it.
  const parsed = parseRecipe(recipe)
  return withService(flags, await readInput(input), async (service, body, context) => {
    const variant = await service.renderBody({ ...parsed, delivery: {} }, body, context)
    if (output === '-')
      await new Promise<void>((resolve, reject) =>
        process.stdout.write(variant.bytes, (error) => (error ? reject(error) : resolve())),
      )
    else await writeFile(output, variant.bytes)
    variant.release()
  })
}

/** `sluice info <file>`: the facts of an image as JSON. */
export async function info({ positional, flags }: Arguments): Promise<number> {
  const [input, ...rest] = positional
  if (input === undefined || rest.length > 0)
    throw new SluiceError('parameter-invalid', 'Expected: sluice info <file>')
  return withService(flags, await readInput(input), async (service, body, context) => {
    process.stdout.write(
      `${JSON.stringify(describeProbe(await service.describeBody(body, context)), null, 2)}\n`,
    )
  })
}

async function withService(
  flags: Arguments['flags'],
  bytes: Buffer,
  use: (service: Service, body: Body, context: RequestContext) => Promise<void>,
): Promise<number> {
  const { config } = configOf({ workers: '1', ...flags })
  const engine = createEngine(config, silentTelemetry)
  const sources = createSources({ ...config, loopback: isLoopbackHost(config.host) }, silentTelemetry)
  const abort = new AbortController()
  const onSignal = () => abort.abort(new SluiceError('client-closed', 'Interrupted'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    const service = createService({
      engine,
      sources: createSourceAccess({
        sources,
        store: createNullStore(),
        engine,
        telemetry: silentTelemetry,
        maxSourceBytes: config.maxSourceBytes,
        defaultMaxAgeSeconds: 0,
        staleWhileRevalidateSeconds: 0,
        staleIfErrorSeconds: 0,
      }),
      store: createNullStore(),
      limits: config,
      options: config,
      timeoutMs: config.timeoutMs,
      telemetry: silentTelemetry,
      pipeline: '',
      autoFormats: config.autoFormats,
    })
    await engine.start(abort.signal)
    const context: RequestContext = { signal: abort.signal, client: 'cli', facts: {} }
    const lease = engine.openInput({
      expectedBytes: bytes.length,
      maxBytes: config.maxSourceBytes,
      limitCode: 'source-too-large',
      hash: 'streaming',
      client: 'cli',
      signal: abort.signal,
    })
    await lease.write(bytes)
    await use(service, lease.finish(), context)
    return 0
  } finally {
    await Promise.all([engine.close(), sources.close()])
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function readInput(path: string): Promise<Buffer> {
  if (path === '-') {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }
  return readFile(path).catch((error: unknown) => {
    throw new SluiceError('source-not-found', `Cannot read "${path}": ${(error as Error).message}`, {
      cause: error,
    })
  })
}
