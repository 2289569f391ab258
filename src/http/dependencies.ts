import type { Engine } from '../engine/index.ts'
import type { Policy, Service } from '../service/index.ts'
import type { Metrics, Telemetry } from '../telemetry/index.ts'
import type { HotPath } from './hot-path.ts'
import type { HttpOptions } from './options.ts'
import type { DeliverOptions } from './send-variant.ts'

/** What the listeners are made of. */
export interface ServerDependencies {
  readonly engine: Engine
  readonly service: Service
  readonly policy: Policy
  readonly options: HttpOptions
  readonly delivery: DeliverOptions
  /** What purging needs; without one it is refused. */
  readonly adminToken?: string | undefined
  readonly maxUploadBytes: number
  readonly root: string
  readonly version: string
  readonly publicUrl?: string
  readonly hot: HotPath
  readonly metrics: Metrics
  readonly telemetry: Telemetry
  /** Whether a shutdown has begun. */
  readonly draining: () => boolean
}
