import { parseRecipe } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import type { Order, Output, Stage } from '../recipe/index.ts'

/** A recipe as the text of a URL, or as data: steps run in the order given. */
export type ClientRecipe = string | { readonly steps?: Stage['steps']; readonly output?: Output }

/** What a recipe says of an order. */
export type RecipePart = Pick<Order, 'recipe' | 'dpr' | 'orient' | 'hints'>

/**
 * Reads a recipe in either form.
 *
 * @throws {SluiceError} `parameter-*`, `url-invalid` for text; `preset-unknown` for a preset that is not in `presets`.
 */
export function recipeOf(recipe: ClientRecipe, presets?: readonly string[]): RecipePart {
  const part: RecipePart =
    typeof recipe === 'string'
      ? parseRecipe(recipe)
      : {
          // A stage of its own for each: within one, the order of the service holds.
          recipe: {
            stages: (recipe.steps ?? []).map((step) => ({ steps: [step] })),
            output: recipe.output ?? {},
          },
          dpr: 1,
          orient: 'auto',
        }
  for (const { preset } of part.recipe.stages) {
    if (preset !== undefined && presets !== undefined && !presets.includes(preset))
      throw new SluiceError('preset-unknown', `Unknown preset "${preset}": known are ${presets.join(', ')}`)
  }
  return part
}

/**
 * The same recipe for another width: that of its last resize, or of a resize added to its first stage. A height beside the
 * width keeps their ratio.
 *
 * @param width CSS px.
 */
export function withWidth(part: RecipePart, width: number): RecipePart {
  const { hints, ...rest } = part
  const open = hints?.dpr ? { hints: { dpr: true as const } } : {}
  const stages = part.recipe.stages.length === 0 ? [{ steps: [] }] : part.recipe.stages
  const last = stages.findLastIndex(({ steps }) => steps.some(({ op }) => op === 'resize'))
  const at = Math.max(0, last)
  const resized = stages.map((stage, index) =>
    index === at ? { ...stage, steps: resizeTo(stage, width) } : stage,
  )
  return { ...rest, ...open, recipe: { ...part.recipe, stages: resized } }
}

function resizeTo({ steps }: Stage, width: number): Stage['steps'] {
  const before = steps.find(({ op }) => op === 'resize') ?? { op: 'resize' }
  const ratio =
    typeof before.width === 'number' && typeof before.height === 'number' ? before.height / before.width : 0
  const height = ratio === 0 ? {} : { height: Math.max(1, Math.round(width * ratio)) }
  return [...steps.filter((step) => step !== before), { ...before, width, ...height }]
}
