export { createEngine } from './engine.ts'
export type { RenderFacts } from './messages.ts'
export { availableMemory, type EngineOptions, engineOptions } from './options.ts'
export type {
  Body,
  Engine,
  EngineStatus,
  InputLease,
  JobOptions,
  OpenInputOptions,
  Rendered,
  SandboxStatus,
} from './types.ts'
