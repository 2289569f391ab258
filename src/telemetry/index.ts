export { type Labels, silentTelemetry, type Telemetry } from './telemetry.ts'
