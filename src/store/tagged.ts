import type { Found } from './define.ts'

/**
 * What the lower tiers really return: a found entry with its tags, without which a promoted copy could not be purged.
 * The bytes belong to nobody else, so a tier above may keep them without copying.
 */
export interface TaggedFound extends Found {
  readonly tags: readonly string[]
}

export function isTagged(found: Found): found is TaggedFound {
  return 'tags' in found && Array.isArray(found.tags)
}
