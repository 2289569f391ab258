import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe } from 'vitest'

/** Folder of the image corpus beside the project; a stranger's clone has none. */
export const corpusPath = fileURLToPath(new URL('../../../shared/corpus/', import.meta.url))
export const hasCorpus = existsSync(`${corpusPath}INDEX.tsv`)

/** One row of the corpus' index. */
export interface CorpusRow {
  readonly path: string
  readonly displayed: string
  readonly expected: readonly string[]
  readonly rule: string
}

/** A suite that needs the corpus; without one it is reported as skipped. */
export const describeCorpus = describe.skipIf(!hasCorpus)

export function corpusRows(): readonly CorpusRow[] {
  if (!hasCorpus) return []
  const lines = readFileSync(`${corpusPath}INDEX.tsv`, 'utf8').trim().split('\n').slice(1)
  return lines
    .map((line) => line.split('\t'))
    .map((cells) => ({
      path: cells[0] ?? '',
      displayed: cells[3] ?? '-',
      expected: (cells[11] ?? '').split(','),
      rule: cells[12] ?? '-',
    }))
    .filter(({ expected }) => !expected[0]?.startsWith('n/a'))
}

export function corpusFile(path: string): Buffer {
  return readFileSync(corpusPath + path)
}
