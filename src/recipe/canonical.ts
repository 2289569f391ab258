import type { Recipe } from './recipe.ts'

/**
 * The one text of a normalised recipe: JSON with sorted keys. Equal recipes give equal text, so its hash can
 * name a variant.
 */
export function canonical(recipe: Recipe): string {
  return JSON.stringify(recipe, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}
