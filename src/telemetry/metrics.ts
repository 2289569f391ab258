import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Labels } from './telemetry.ts'

const COUNTERS: Readonly<Record<string, readonly string[]>> = {
  sluice_decodes_total: [],
  sluice_source_fetches_total: [],
  sluice_store_hits_total: ['tier'],
  sluice_worker_restarts_total: ['reason'],
  sluice_requests_total: ['route', 'status'],
  sluice_problems_total: ['code'],
  sluice_limits_total: ['code', 'limit'],
  sluice_strikes_total: [],
  sluice_cpu_deadlines_total: [],
  sluice_source_denials_total: ['reason'],
  sluice_origin_failures_total: ['reason'],
  sluice_store_misses_total: ['store'],
  sluice_store_errors_total: ['store', 'operation'],
  sluice_store_evictions_total: ['store'],
}
const GAUGES: Readonly<Record<string, readonly string[]>> = {
  sluice_memory_budget_bytes: [],
  sluice_memory_committed_bytes: [],
  sluice_queue_depth: [],
  sluice_store_bytes: ['store'],
  sluice_store_entries: ['store'],
  sluice_store_paused: ['store'],
  sluice_sandbox_level: ['level'],
  sluice_codec_info: ['codec', 'version'],
}
const HISTOGRAMS: Readonly<Record<string, readonly string[]>> = {
  sluice_worker_spawn_ms: ['kind'],
  sluice_request_ms: ['route'],
}
/** Label values that exist from the start, so that a rate over the first event is right. */
const ZEROS: readonly (readonly [string, Labels])[] = [
  ...['memory', 'disk', 's3'].map((tier) => ['sluice_store_hits_total', { tier }] as const),
  ...['crash', 'deadline', 'disconnect', 'external', 'exit', 'memory', 'protocol', 'recycle'].map(
    (reason) => ['sluice_worker_restarts_total', { reason }] as const,
  ),
  ['sluice_requests_total', { route: 'render', status: '200' }],
]

export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void
  gauge(name: string, value: number, labels?: Labels): void
  observe(name: string, valueMs: number, labels?: Labels): void
  /** The page in the Prometheus text format. */
  page(): Promise<string>
}

/** All metrics of the service; an unknown name is a programming error and throws. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const made = <T>(table: typeof COUNTERS, make: (name: string, labels: readonly string[]) => T) =>
    new Map(Object.entries(table).map(([name, labels]) => [name, make(name, labels)]))
  const options = (name: string, labels: readonly string[]) => ({
    name,
    help: name.replaceAll('_', ' '),
    labelNames: [...labels],
    registers: [registry],
  })
  const counters = made(COUNTERS, (name, labels) => new Counter(options(name, labels)))
  const gauges = made(GAUGES, (name, labels) => new Gauge(options(name, labels)))
  const histograms = made(
    HISTOGRAMS,
    (name, labels) =>
      new Histogram({
        ...options(name, labels),
        buckets: [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
      }),
  )
  for (const [name, labels] of ZEROS) counters.get(name)?.inc({ ...labels }, 0)
  const known = <T>(map: Map<string, T>, name: string): T => {
    const metric = map.get(name)
    if (metric === undefined) throw new Error(`Unknown metric "${name}"`)
    return metric
  }
  return {
    count: (name, labels = {}, by = 1) => known(counters, name).inc({ ...labels }, by),
    gauge: (name, value, labels = {}) => known(gauges, name).set({ ...labels }, value),
    observe: (name, valueMs, labels = {}) => known(histograms, name).observe({ ...labels }, valueMs),
    page: () => registry.metrics(),
  }
}
