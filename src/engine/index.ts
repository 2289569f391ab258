export type { Answer, RenderFacts, Request } from './messages.ts'
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
