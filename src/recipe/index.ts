export type { Delivery, Order } from './order.ts'
export type { BaseRaster, Estimate, Pass, Plan, ResolvedOutput, ResolvedStep } from './plan.ts'
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
