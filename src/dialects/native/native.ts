import type { Order } from '../../recipe/index.ts'
import { type Action, type Claim, defineDialect } from '../define.ts'
import { claimNative } from './claim.ts'
import { malformed } from './malformed.ts'
import { formatQuery, parseQuery } from './query.ts'
import { formatRecipe, parseRecipe } from './recipe-text.ts'
import { formatSource, parseSource } from './source-text.ts'

export { formatRecipe, NATIVE_KEYS, parseRecipe } from './recipe-text.ts'

/** The native language: `/i/w=400,fit=cover;blur=2/photos/cat.jpg`. Parses only: no network, disk, clock or config. */
export const native = defineDialect({
  name: 'native',
  mounts: ['/i/', '/info', '/explain/', '/upload'],
  docs: 'docs/operations.md',
  claim: claimNative,
  parse: parseNative,
  format: formatNative,
})

function parseNative(claim: Claim): { action: Action; order: Order } {
  const delivery = parseQuery(claim.query)
  const { action, recipe, source } = splitPath(claim.path)
  const parsed = parseRecipe(recipe ?? '_')
  return {
    action,
    order: { ...parsed, ...(source === undefined ? {} : { source: parseSource(source) }), delivery },
  }
}

function splitPath(path: string): { action: Action; recipe?: string; source?: string } {
  const [, mount = '', ...rest] = path.split('/')
  const after = (parts: string[]) => parts.join('/')
  if (mount === 'upload') {
    if (rest.length > 1) throw malformed('an upload has one recipe and no source')
    return rest[0] === undefined || rest[0] === ''
      ? { action: 'upload' }
      : { action: 'upload', recipe: rest[0] }
  }
  if (mount === 'info')
    return rest.length === 0 ? { action: 'info' } : { action: 'info', source: nonEmpty(after(rest)) }
  const [recipe = '', ...source] = rest
  if (recipe === '') throw malformed('the recipe is empty: "_" is the empty recipe')
  return { action: mount === 'explain' ? 'explain' : 'render', recipe, source: nonEmpty(after(source)) }
}

function nonEmpty(source: string): string {
  if (source === '') throw malformed('it names no source')
  return source
}

function formatNative(action: Action, order: Order): string {
  const recipe = formatRecipe(order)
  const source = formatSource(order.source ?? '')
  const tail = formatQuery(order.delivery)
  switch (action) {
    case 'upload':
      return `/upload${recipe === '_' ? '' : `/${recipe}`}${tail}`
    case 'info':
      return `/info${order.source === undefined ? '' : `/${source}`}${tail}`
    case 'explain':
      return `/explain/${recipe}/${source}${tail}`
    case 'render':
      return `/i/${recipe}/${source}${tail}`
  }
}
