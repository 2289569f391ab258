/** Label values of one sample. Keep them to closed sets: cardinality is bounded by the code, never by input. */
export type Labels = Readonly<Record<string, string>>

/** Where folders report to; wired to prom-client and pino in `main.ts`. */
export interface Telemetry {
  /** Adds to a counter. */
  count(name: string, labels?: Labels, by?: number): void
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void
  /** Observes a duration, ms, in a histogram. */
  observe(name: string, valueMs: number, labels?: Labels): void
  log(
    level: 'debug' | 'info' | 'warn' | 'error',
    message: string,
    facts?: Readonly<Record<string, unknown>>,
  ): void
}

/** Reports nothing; for tests and for library use. */
export const silentTelemetry: Telemetry = { count() {}, gauge() {}, observe() {}, log() {} }
