/**
 * The word of `known` that `word` was probably meant to be.
 *
 * @returns `undefined` when nothing is within two edits (insert, delete, replace, swap of neighbours).
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = word.length <= 2 ? 2 : 3
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const edits = distance(word.slice(0, 40), candidate)
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}

/** Optimal string alignment distance. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    const above = rows[i - 1] as number[]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let value = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + same,
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, (rows[i - 2]?.[j - 2] as number) + 1)
      row.push(value)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] as number
}
