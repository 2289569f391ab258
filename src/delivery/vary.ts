/** Which parts of the request had a say in the answer. */
export interface VaryFacts {
  /** The format was chosen by `Accept`. */
  readonly negotiated: boolean
  /** `Save-Data` was looked at, whatever it said. */
  readonly saveData: boolean
  /** What the order left open for client hints (`Order.hints`). */
  readonly hints?: { readonly dpr?: boolean; readonly width?: boolean } | undefined
}

/**
 * `Vary`: exactly the headers that had a say, so that caches keep no more copies than there are answers.
 *
 * @returns `undefined` when the URL alone decided.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5
 */
export function vary({ negotiated, saveData, hints = {} }: VaryFacts): string | undefined {
  const names = [
    ...(negotiated ? ['Accept'] : []),
    ...(saveData ? ['Save-Data'] : []),
    ...(hints.dpr ? ['Sec-CH-DPR', 'DPR'] : []),
    ...(hints.width ? ['Sec-CH-Width', 'Width', 'Sec-CH-Viewport-Width', 'Viewport-Width'] : []),
  ]
  return names.length === 0 ? undefined : names.join(', ')
}
