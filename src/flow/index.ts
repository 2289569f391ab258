export { Shared } from './shared.ts'
export { type Retained, SingleFlight } from './single-flight.ts'
