export { canonical } from './canonical.ts'
export { checkProbe } from './check-probe.ts'
export { type AutoOutput, createPlan, type PlanOptions } from './create-plan.ts'
export { describeAllowed } from './describe-schema.ts'
export { nearest } from './nearest.ts'
export {
  expandPresets,
  type NormalizeOptions,
  normalize,
  type Presets,
  recipeSources,
  schemaOf,
} from './normalize.ts'
export { formatToken, KNOWN_FORMATS, type Limits, limitsOptions, pixelLimit } from './options.ts'
export type { Delivery, Order } from './order.ts'
export { outputSchema } from './output-schema.ts'
export type { BaseRaster, Estimate, Plan, ResolvedOutput } from './plan.ts'
export { INPUT_FORMATS, type InputFormat, type Probe } from './probe.ts'
export {
  METADATA_POLICIES,
  type MetadataPolicy,
  OUTPUT_FORMATS,
  type Output,
  type OutputFormat,
  type Recipe,
  type Stage,
  type StagedRecipe,
} from './recipe.ts'
export { type Sniffed, sniff } from './sniff.ts'
