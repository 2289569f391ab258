export { describeProbe } from './describe-probe.ts'
export { type ServiceOptions, serviceOptions } from './options.ts'
export { type Asked, createPolicy, isLoopbackHost, type PolicyOptions } from './policy.ts'
export {
  createService,
  type Facts,
  type RequestContext,
  type Service,
  type ServiceDependencies,
  type Variant,
} from './service.ts'
