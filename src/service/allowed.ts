import { SluiceError } from '../errors/index.ts'
import type { StagedRecipe } from '../recipe/index.ts'

export interface AllowedOptions {
  readonly presetsOnly: boolean
  /** Names; empty allows all. */
  readonly allowedOperations: readonly string[]
}

/**
 * Holds a recipe as it was written against what the operator lets strangers ask for. What a preset stands for is the
 * operator's own and not looked at.
 *
 * @throws {SluiceError} `operation-forbidden`.
 */
export function checkAllowed({ stages, output }: StagedRecipe, options: AllowedOptions): void {
  const { presetsOnly, allowedOperations } = options
  const named = stages.flatMap(({ steps }) => steps.map(({ op }) => op))
  if (presetsOnly) {
    const said = [...named, ...Object.keys(output)]
    const bare = stages.some(({ preset }) => preset === undefined)
    if (said.length > 0 || (bare && stages.length > 0))
      throw new SluiceError(
        'operation-forbidden',
        'Cannot make this picture: this service takes presets only',
      )
  }
  if (allowedOperations.length === 0) return
  const strange = named.find((op) => !allowedOperations.includes(op))
  if (strange !== undefined)
    throw new SluiceError(
      'operation-forbidden',
      `Cannot run "${strange}": this service runs ${allowedOperations.join(', ')}`,
      { facts: { operation: strange } },
    )
}
