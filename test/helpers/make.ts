import { parseRecipe } from '../../src/dialects/index.ts'
import {
  createPlan,
  type InputFormat,
  limitsOptions,
  normalize,
  type Plan,
  type Probe,
  sniff,
} from '../../src/recipe/index.ts'
import { probeImage } from '../../src/worker/probe-image.ts'
import { type Made, runPlan } from '../../src/worker/run-plan.ts'

export interface MadePicture extends Made {
  readonly plan: Plan
  readonly probe: Probe
}

/** Probes, plans and runs in this process: the worker's own code without its isolation. */
export async function make(bytes: Buffer, text: string, { separate = false } = {}): Promise<MadePicture> {
  const found = sniff(bytes.subarray(0, 4096))
  if (found === undefined || !('format' in found)) throw new Error('No readable format')
  const probe = await probeImage(bytes, found.format as InputFormat)
  const parsed = parseRecipe(text)
  const recipe = normalize(parsed.recipe, { dpr: parsed.dpr })
  const plan = createPlan({ recipe, probe, limits: limitsOptions.parse({}), orient: parsed.orient, separate })
  return { ...(await runPlan(plan, [bytes])), plan, probe }
}
