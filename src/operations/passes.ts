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
  for (const step of steps) {
    const slot =
      step.planned.measured === true ? undefined : step.planned.slots?.find((candidate) => candidate > last)
    const open = passes.at(-1)
    if (open !== undefined && slot !== undefined && !separate) {
      open.push(step)
      last = slot
    } else {
      passes.push([step])
      last =
        step.planned.measured === true
          ? Number.POSITIVE_INFINITY
          : (step.planned.slots?.[0] ?? Number.POSITIVE_INFINITY)
    }
  }
  return passes.map((group) => ({ steps: group }))
}
