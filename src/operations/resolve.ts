import { SluiceError } from '../errors/index.ts'
import type { InputFacts, PlanContext, PlannedStep, Raster, Step } from './define.ts'
import { findOperation } from './index.ts'

/** A step with its concrete pixels. `inputs` index the plan's further inputs. Plain JSON. */
export interface ResolvedStep {
  readonly step: Step
  /** The step of the recipe that this one came from, to plan it again once pixels are known. */
  readonly wish: Step
  /** Position of `wish` in the recipe: its parts share it. */
  readonly index: number
  readonly planned: PlannedStep
  readonly inputs: readonly number[]
  readonly input: Raster
}

export interface ResolveOptions extends Omit<PlanContext, 'inputs'> {
  /** Facts of all further inputs of the plan. */
  readonly inputs: readonly InputFacts[]
  /** Which of them a step of the recipe uses, in the order of its `sources()`. */
  readonly inputsOf: (step: Step) => readonly number[]
}

/** What the picture is after a planned step. */
export function rasterAfter(input: Raster, planned: PlannedStep): Raster {
  return {
    ...input,
    size: planned.size,
    exact: planned.exact,
    alpha: planned.alpha ?? input.alpha,
  }
}

/**
 * Makes steps concrete, in order: wishes are expanded to simpler steps, each is planned on what the one before
 * leaves, and what changes nothing is dropped. After a pixel-dependent step sizes are upper bounds.
 *
 * @throws {SluiceError} `parameter-invalid` where a step cannot apply to this picture.
 */
export function resolveSteps(
  steps: readonly Step[],
  raster: Raster,
  options: ResolveOptions,
): readonly ResolvedStep[] {
  const resolved: ResolvedStep[] = []
  let current = raster
  for (const [index, step] of steps.entries()) {
    const indices = options.inputsOf(step)
    const context: PlanContext = {
      profile: options.profile,
      inputs: indices.map((index) => options.inputs[index] as InputFacts),
    }
    for (const simple of operationOf(step).expand?.(step, current, context) ?? [step]) {
      const planned = operationOf(simple).plan(simple, current, context)
      if (planned.noop === true) continue
      resolved.push({ step: simple, wish: step, index, planned, inputs: indices, input: current })
      current = rasterAfter(current, planned)
    }
  }
  return resolved
}

function operationOf({ op }: Step) {
  const operation = findOperation(op)
  if (operation === undefined) throw new SluiceError('parameter-unknown', `Unknown operation "${op}"`)
  return operation
}
