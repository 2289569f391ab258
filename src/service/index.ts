export { describeProbe } from './describe-probe.ts'
export { createSourceAccess, type SourceAccess } from './open-source.ts'
export { type ServiceOptions, serviceOptions } from './options.ts'
export { type Asked, createPolicy, isLoopbackHost, type Policy, type PolicyOptions } from './policy.ts'
export {
  createService,
  type Facts,
  type Purge,
  type RequestContext,
  type Service,
  type ServiceDependencies,
  type Wishes,
} from './service.ts'
export type { Variant, VariantMeta } from './variant.ts'
