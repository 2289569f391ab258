import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { type CorpusRow, corpusFile, corpusPath, corpusRows, describeCorpus } from '../helpers/corpus.ts'
import { startService, stopService } from '../helpers/service.ts'

const DEADLINE_MS = 15_000

/** Whether an answer counts as right for a row; on uploads 422 is 400, and what is over a limit is 413. */
function isRight(status: number, { expected }: CorpusRow, upload: boolean): boolean {
  if (status === 200) return expected.includes('ok') || expected.includes('any')
  if (status >= 400 && status < 500 && expected.includes('any')) return true
  if (expected.includes(String(status))) return true
  // Files under a root count as sources, where a limit is 422; on uploads a broken image or none at all is 400.
  if (!upload) return status === 422 && expected.includes('413')
  return status === 400 && (expected.includes('422') || expected.includes('415'))
}

describeCorpus('every file of the corpus', () => {
  let service: Running
  beforeAll(async () => {
    service = await startService({ SLUICE_ROOT: corpusPath, SLUICE_MAX_UPLOAD_BYTES: '30MB' })
  })
  afterAll(() => stopService(service))

  const good = async () => (await fetch(`${service.url}/i/w=16/photos/kodim23.png`)).status
  const sourceOf = (path: string) => path.split('/').map(encodeURIComponent).join('/')

  test('[I-06] [I-14] answers as its row says, as a file and as an upload, and the next good request succeeds', async () => {
    const wrong: string[] = []
    const times: number[] = []
    for (const row of corpusRows()) {
      for (const upload of [false, true]) {
        const startedAt = performance.now()
        const answer = upload
          ? await fetch(`${service.url}/upload/w=64,h=64`, {
              method: 'POST',
              body: new Uint8Array(corpusFile(row.path)),
            })
          : await fetch(`${service.url}/i/w=64,h=64,format=png/${sourceOf(row.path)}`)
        const bytes = await answer.arrayBuffer()
        times.push(performance.now() - startedAt)
        const clean =
          answer.status === 200
            ? bytes.byteLength > 0
            : answer.headers.get('content-type') === 'application/problem+json'
        if (!isRight(answer.status, row, upload) || !clean)
          wrong.push(`${upload ? 'POST' : 'GET'} ${row.path}: ${answer.status}, expected ${row.expected}`)
        if (answer.status !== 200 && (await good()) !== 200)
          wrong.push(`after ${row.path} a good request failed`)
      }
    }
    expect(wrong).toEqual([])
    const sorted = times.toSorted((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThan(2000)
    expect(sorted.at(-1)).toBeLessThan(DEADLINE_MS)
  }, 300_000)

  test('[I-12] has the size that its row says, after orientation', async () => {
    const wrong: string[] = []
    for (const { path, displayed, expected } of corpusRows()) {
      if (expected.join() !== 'ok' || path.endsWith('.svg')) continue
      const facts = (await (await fetch(`${service.url}/info/${sourceOf(path)}`)).json()) as {
        width: number
        height: number
      }
      if (`${facts.width}x${facts.height}` !== displayed)
        wrong.push(`${path}: ${facts.width}x${facts.height}, expected ${displayed}`)
    }
    expect(wrong).toEqual([])
  }, 120_000)
})
