export { createMetrics, type Metrics } from './metrics.ts'
export { type Labels, silentTelemetry, type Telemetry } from './telemetry.ts'
