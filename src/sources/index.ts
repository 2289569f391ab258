import { randomBytes } from 'node:crypto'
import { SluiceError } from '../errors/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { createAzureSource } from './azure.ts'
import type { BucketSettings } from './buckets.ts'
import { createDataSource } from './data.ts'
import type { Source } from './define.ts'
import { createFallbackSource } from './fallback.ts'
import { createFilesystemSource } from './filesystem.ts'
import { createGcsSource } from './gcs.ts'
import { parseHttpSources } from './host-list.ts'
import { type CreateHttpSourceOptions, createHttpSource } from './http.ts'
import { refuseSameNames } from './names.ts'
import type { SourcesOptions } from './options.ts'
import { createRewriter } from './rewrite.ts'
import { createS3Source } from './s3.ts'
import { nextVia } from './via.ts'

export { type BucketSettings, readBuckets } from './buckets.ts'
export type { Freshness, NotModified, OpenedSource, OpenSourceOptions, Source, Validators } from './define.ts'
export { type SourcesOptions, sourcesOptions } from './options.ts'

/** What a reference means after the operator's rewriting rules. */
export interface Located {
  readonly source: Source
  readonly ref: string
}

export interface Sources {
  /**
   * The kind of source that a reference means.
   *
   * @param inside Whether a recipe names it: only there `data:` is allowed.
   * @throws {SluiceError} `source-forbidden` when none does.
   */
  find(ref: string, inside?: boolean): Located
  /**
   * Refuses a request that has come from this very service, whatever it asks for.
   *
   * @param via `Via` of the request.
   * @throws {SluiceError} `source-forbidden`.
   */
  refuseLoop(via: string | undefined): void
  close(): Promise<void>
}

export interface SourcesSettings extends SourcesOptions {
  readonly buckets: readonly BucketSettings[]
  /** Whether the public listener is bound to a loopback address. */
  readonly loopback: boolean
}

/** What tests put in place of the outside world. */
export type Outside = Pick<CreateHttpSourceOptions, 'resolve' | 'connect' | 'ca' | 'instanceId'>

/** All kinds of sources of this service behind one door. */
export function createSources(
  settings: SourcesSettings,
  telemetry: Telemetry,
  outside: Outside = {},
): Sources {
  const { buckets, loopback, sources: chains, baseUrl, urlRewrites: rules } = settings
  refuseSameNames({
    SLUICE_ROOTS: Object.keys(settings.roots),
    'the named buckets': buckets.map(({ name }) => name),
    SLUICE_SOURCES: Object.keys(chains),
  })
  const { instanceId = randomBytes(8).toString('hex') } = outside
  const hosts = parseHttpSources(settings.httpSources, { loopback })
  const rewrite = createRewriter({ baseUrl, rules })
  const files = createFilesystemSource(settings)
  const all: Source[] = [
    ...buckets.map((bucket) => createBucketSource(bucket, settings, telemetry)),
    createHttpSource({ ...settings, ...outside, instanceId, hosts, telemetry }),
  ]
  const claiming = (ref: string) => [...all, files].find((source) => source.claims(ref))
  all.unshift(createFallbackSource(chains, claiming))
  const data = createDataSource()
  return {
    find(given, inside = false) {
      if (inside && data.claims(given)) return { source: data, ref: given }
      const ref = rewrite(given)
      const source = claiming(ref)
      if (source === undefined)
        throw new SluiceError('source-forbidden', 'Cannot read this source: it is not allowed', {
          internal: 'no source claims this reference',
        })
      return { source, ref }
    },
    refuseLoop(via) {
      if (via !== undefined) nextVia(via, instanceId)
    },
    close: async () => {
      await Promise.all(all.map((source) => source.close?.()))
    },
  }
}

function createBucketSource(bucket: BucketSettings, settings: SourcesOptions, telemetry: Telemetry): Source {
  const timeouts = {
    connectMs: settings.originConnectTimeoutMs,
    firstByteMs: settings.originFirstByteTimeoutMs,
    idleMs: settings.originIdleTimeoutMs,
    totalMs: settings.originTimeoutMs,
  }
  switch (bucket.kind) {
    case 's3':
      return createS3Source(bucket, { telemetry, timeouts })
    case 'gs':
      return createGcsSource(bucket, { telemetry, timeouts })
    case 'az':
      return createAzureSource(bucket, { telemetry, timeouts })
  }
}
