import type { Start } from './start.ts'

/** Figures of one party in one cell. */
export interface Row {
  readonly party: string
  /** Right answers a second, each round. */
  readonly perSecond: readonly number[]
  /** Throughput of each round ÷ that of the baseline in the same round; empty for the baseline. */
  readonly ratios: readonly number[]
  readonly p50Ms: number
  readonly p95Ms: number
  readonly refused: number
  readonly peakBytes: number
  readonly idleBytes: number
  readonly generatorCpu: number
}

export interface CellResult {
  readonly cell: string
  readonly kind: 'resize' | 'upload'
  readonly clients: number
  readonly baseline: string
  readonly rows: readonly Row[]
  /** Parties that are not in this table, and why. */
  readonly absent: Readonly<Record<string, string>>
}

export interface Result {
  readonly date: string
  readonly machine: string
  readonly parties: Readonly<Record<string, string>>
  readonly rounds: number
  readonly roundMs: number
  readonly cells: readonly CellResult[]
  readonly starts: readonly Start[]
}

/** A target of the project, and what the run says to it. */
export interface Target {
  readonly name: string
  readonly wanted: string
  readonly found: string
  readonly met: boolean
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** The targets that the cells of this run can decide. */
export function judge({ cells, starts }: Result): readonly Target[] {
  const targets: Target[] = []
  for (const { cell, kind, clients, baseline, rows } of cells) {
    const sluice = rows.find(({ party }) => party === 'Sluice')
    if (sluice === undefined || sluice.ratios.length === 0) continue
    const ratio = median(sluice.ratios)
    if (kind === 'resize')
      targets.push({ name: cell, wanted: `≥ 0.90 × ${baseline}`, found: ratio.toFixed(2), met: ratio >= 0.9 })
    const go = rows.find(({ party }) => party === baseline)
    if (kind === 'upload' && go !== undefined) {
      const memory = perUpload(sluice, clients) / perUpload(go, clients)
      targets.push(
        { name: cell, wanted: `≥ 2 × ${baseline}`, found: ratio.toFixed(2), met: ratio >= 2 },
        {
          name: `${cell}: memory for each upload`,
          wanted: `< 0.5 × ${baseline}`,
          found: memory.toFixed(2),
          met: memory < 0.5,
        },
      )
    }
  }
  if (starts.length > 0) {
    const first = median(starts.map(({ firstPictureMs }) => firstPictureMs))
    targets.push({
      name: 'start to first picture',
      wanted: '< 1,500 ms',
      found: `${Math.round(first)} ms`,
      met: first < 1500,
    })
  }
  return targets
}

function perUpload({ peakBytes, idleBytes }: Row, clients: number): number {
  return Math.max(0, peakBytes - idleBytes) / clients
}

/** The result as a page for people. */
export function toMarkdown(result: Result): string {
  const { date, machine, parties, rounds, roundMs, cells, starts } = result
  const lines = [
    '# Benchmark',
    '',
    `Written by \`npm run bench\` on ${date}: ${machine}.`,
    `Every party answers ${rounds} rounds of ${roundMs / 1000} s in turns with the others; medians, in brackets the`,
    'lowest and highest round. The ratio is taken within each round. Photos are drawn from the sample scene with',
    'grain, read from disk by all but uploads. All parties make the same size at the same quality, checked before',
    'each cell. Memory is the highest proportional set size of all processes of a party, in a round of its own.',
    'The load generator runs on the same cores; bare sharp needs none.',
    '',
    ...Object.entries(parties).map(([name, version]) => `- ${name}: ${version}`),
    '',
    '## Targets',
    '',
    '| target | wanted | found | |',
    '| --- | --- | ---: | --- |',
    ...judge(result).map(
      ({ name, wanted, found, met }) => `| ${name} | ${wanted} | ${found} | ${met ? 'met' : '**missed**'} |`,
    ),
    '',
  ]
  for (const { cell, kind, clients, baseline, rows, absent } of cells) {
    const upload = kind === 'upload'
    lines.push(
      `## ${cell}`,
      '',
      `| party | answers/s | ÷ ${baseline} | p50 ms | p95 ms | peak MB |${upload ? ' MB each |' : ''} refused | generator CPU |`,
      `| --- | ---: | ---: | ---: | ---: | ---: |${upload ? ' ---: |' : ''} ---: | ---: |`,
      ...rows.map((row) => {
        const { party, perSecond, ratios, p50Ms, p95Ms, peakBytes, refused, generatorCpu } = row
        const each = upload ? ` ${mb(perUpload(row, clients))} |` : ''
        return `| ${party} | ${spread(perSecond, 1)} | ${ratios.length === 0 ? '1' : spread(ratios, 2)} | ${p50Ms.toFixed(0)} | ${p95Ms.toFixed(0)} | ${mb(peakBytes)} |${each} ${refused} | ${generatorCpu.toFixed(2)} |`
      }),
      '',
      ...Object.entries(absent).map(([party, why]) => `${party}: not available, ${why}.`),
      '',
    )
  }
  if (starts.length > 0) {
    const row = (name: string, pick: (start: Start) => number, unit: (value: number) => string) => {
      const values = starts.map(pick)
      return `| ${name} | ${unit(median(values))} | ${unit(Math.min(...values))} – ${unit(Math.max(...values))} |`
    }
    const ms = (value: number) => `${Math.round(value)} ms`
    lines.push(
      '## Start',
      '',
      `| from the start of the process to | median of ${starts.length} | range |`,
      '| --- | ---: | ---: |',
      row('`/healthz`', ({ healthyMs }) => healthyMs, ms),
      row('a picture', ({ firstPictureMs }) => firstPictureMs, ms),
      row('`/readyz`', ({ readyMs }) => readyMs, ms),
      row(
        'memory when idle',
        ({ idleBytes }) => idleBytes,
        (value) => `${mb(value)} MB`,
      ),
      '',
    )
  }
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`
}

function spread(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} [${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}]`
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)
}
