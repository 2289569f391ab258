import { SLOTS } from './define.ts'
import type { ResolvedStep } from './resolve.ts'

/** One run of the pixel library. */
export interface Pass {
  readonly steps: readonly ResolvedStep[]
}

export interface GroupOptions {
  /** One pass per step: the reference that every fused plan must equal, bit for bit. */
  readonly separate?: boolean
}

/** Groups steps into as few passes as give the same pixels: a step joins the pass before when it has a later slot. */
export function groupPasses(
  steps: readonly ResolvedStep[],
  { separate = false }: GroupOptions = {},
): readonly Pass[] {
  const passes: ResolvedStep[][] = []
  let last = Number.POSITIVE_INFINITY
  let scales = false
  for (const step of steps) {
    const slot =
      step.planned.measured === true
        ? undefined
        : step.planned.slots?.find(
            // Without a scale in the pipeline sharp takes an extract for the one before everything, flips included.
            (candidate) => candidate > last && (candidate !== SLOTS.cropAfter || scales),
          )
    const open = passes.at(-1)
    if (open !== undefined && slot !== undefined && !separate) {
      open.push(step)
      last = slot
      scales ||= slot === SLOTS.resize
    } else {
      passes.push([step])
      last =
        step.planned.measured === true
          ? Number.POSITIVE_INFINITY
          : (step.planned.slots?.[0] ?? Number.POSITIVE_INFINITY)
      scales = last === SLOTS.resize
    }
  }
  return passes.map((group) => ({ steps: group }))
}
