import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { pssOf } from '../test/helpers/spawn-serve.ts'
import { PARTIES } from './parties/index.ts'
import type { Cell, Party, Sample } from './party.ts'
import { cellsIn, drawPhotos } from './photos.ts'
import { watchMemory } from './processes.ts'
import { type CellResult, judge, percentile, type Result, type Row, toMarkdown } from './report.ts'
import { measureStart, type Start } from './start.ts'

const HELP = `Compares Sluice with others on this machine, all in turns within one run.

Usage: npm run bench -- [--only <text>] [--quick] [--name <name>] [--help]

  --only <text>   Cells whose name holds this text; "start" for the start alone.
  --quick         Two short rounds: to see that everything works. Nothing is written.
  --name <name>   Name of the files in bench/results/ (default: latest).

A full run takes about ten minutes. Parties that are not installed are named with the reason.`

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    name: { type: 'string', default: 'latest' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  process.stdout.write(`${HELP}\n`)
  process.exit(0)
}

const rounds = flags.quick ? 2 : 5
const roundMs = flags.quick ? 700 : 1200
const cores = availableParallelism()
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
const folder = join(scratch, 'photos')
// Servers that are started as root give up that right and must still find the photos.
chmodSync(scratch, 0o755)
const tell = (text: string) => process.stderr.write(`${text}\n`)

const parties: Party[] = []
const absent: Record<string, string> = {}
try {
  const cells = cellsIn(folder).filter(({ name }) => flags.only === undefined || name.includes(flags.only))
  const results: CellResult[] = []
  if (cells.length > 0) {
    tell('drawing photos')
    await drawPhotos(folder)
    await startParties()
  }
  for (const [index, cell] of cells.entries()) {
    const result = await measure(cell)
    results.push(result)
    const brief = result.rows.map(
      ({ party, perSecond }) => `${party} ${percentile(perSecond, 0.5).toFixed(1)}/s`,
    )
    tell(`${index + 1}/${cells.length} ${cell.name}: ${brief.join(', ')}`)
  }
  const starts: Start[] = []
  if (flags.only === undefined || flags.only === 'start')
    for (let i = 0; i < (flags.quick ? 2 : 7); i++) {
      starts.push(await measureStart())
      tell(`start ${i + 1}: first picture after ${Math.round(starts.at(-1)?.firstPictureMs ?? 0)} ms`)
    }
  const result: Result = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cores} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 1e9)} GB, ${process.platform} ${process.arch}, Node ${process.versions.node}, libvips ${sharp.versions.vips}`,
    parties: Object.fromEntries(parties.map(({ name, version }) => [name, version])),
    rounds,
    roundMs,
    cells: results,
    starts,
  }
  for (const { name, wanted, found, met } of judge(result))
    tell(`${met ? 'met   ' : 'missed'} ${name}: ${found} (wanted ${wanted})`)
  if (!flags.quick) write(result)
} finally {
  await Promise.allSettled(parties.map((party) => party.stop()))
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()

async function startParties(): Promise<void> {
  for (const [name, start] of PARTIES) {
    const own = join(scratch, name.replaceAll(' ', '-'))
    mkdirSync(own)
    const started = await start({ folder, scratch: own, cores })
    if (typeof started === 'string') absent[name] = started
    else parties.push(started)
    tell(`${name}: ${typeof started === 'string' ? started : started.version}`)
  }
}

async function measure(cell: Cell): Promise<CellResult> {
  const reasons: Record<string, string> = { ...absent }
  const able = parties.filter((party) => {
    const reason = party.refuses(cell)
    if (reason !== undefined && !reason.startsWith('takes')) reasons[party.name] = reason
    return reason === undefined
  })
  for (const party of able) await check(party, cell)
  const samples = new Map<string, Sample[]>(able.map(({ name }) => [name, []]))
  // What a party holds before this cell, when all are at rest.
  await new Promise((resolve) => setTimeout(resolve, flags.quick ? 0 : 500))
  const idle = new Map(able.map((party) => [party.name, pssOf(party.pids())]))
  for (let round = 0; round < rounds; round++) {
    for (const party of able) samples.get(party.name)?.push(await party.run(cell, roundMs))
  }
  // A round of its own: asking the kernel for the memory of several processes takes time from all of them.
  const peaks = new Map<string, number>()
  for (const party of able) {
    const { peakBytes } = await watchMemory(party.pids, () => party.run(cell, roundMs))
    peaks.set(party.name, peakBytes)
  }
  const baseline =
    cell.kind === 'upload' && samples.has('Go standard library') ? 'Go standard library' : 'bare sharp'
  const rates = (name: string) => (samples.get(name) ?? []).map(({ done, seconds }) => done / seconds)
  const base = rates(baseline)
  const rows = able.map(({ name }): Row => {
    const own = samples.get(name) ?? []
    const latencies = own.flatMap((sample) => sample.latencies)
    return {
      party: name,
      perSecond: rates(name),
      ratios: name === baseline ? [] : rates(name).map((rate, round) => rate / (base[round] ?? Number.NaN)),
      p50Ms: percentile(latencies, 0.5),
      p95Ms: percentile(latencies, 0.95),
      refused: own.reduce((sum, { refused }) => sum + refused, 0),
      peakBytes: peaks.get(name) ?? 0,
      idleBytes: idle.get(name) ?? 0,
      generatorCpu: own.reduce((sum, sample) => sum + sample.generatorCpu, 0) / own.length,
    }
  })
  return { cell: cell.name, kind: cell.kind, clients: cell.clients, baseline, rows, absent: reasons }
}

/** A comparison of wrong answers is worth nothing. */
async function check(party: Party, cell: Cell): Promise<void> {
  const { width, height, format } = await sharp(await party.once(cell)).metadata()
  const found = `${width}×${height} ${format === 'heif' ? 'avif' : format}`
  const wanted = `${cell.expected.width}×${cell.expected.height} ${cell.format}`
  if (found !== wanted) throw new Error(`${party.name} made ${found} instead of ${wanted} in "${cell.name}"`)
}

function write(result: Result): void {
  const base = fileURLToPath(new URL(`./results/${flags.name}`, import.meta.url))
  writeFileSync(`${base}.json`, `${JSON.stringify(result, undefined, 2)}\n`)
  writeFileSync(`${base}.md`, toMarkdown(result))
  tell(`written: bench/results/${flags.name}.md and .json`)
}
