import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ask } from './load.ts'
import { cellsIn, drawPhotos } from './photos.ts'
import { type Server, startServer } from './processes.ts'
import { median } from './report.ts'

const HELP = `Warm pictures: Sluice from memory, from disk and as 304, beside nginx with the same bytes as files.

Usage: npm run bench:warm -- [--quick] [--name <name>] [--help]

Needs wrk and nginx (Debian: apt-get install wrk nginx). All are asked in turns; the table in bench/results/ holds
ratios within each round.`

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    name: { type: 'string', default: 'latest-warm' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  process.stdout.write(`${HELP}\n`)
  process.exit(0)
}
for (const command of ['wrk', 'nginx'])
  if (spawnSync(command, ['-v']).error !== undefined) {
    process.stderr.write(`${command} is not installed: apt-get install ${command}\n`)
    process.exit(1)
  }

const rounds = flags.quick ? 2 : 7
const seconds = flags.quick ? 1 : 2
const VARIANTS = 40
const CONNECTIONS = 32
const root = fileURLToPath(new URL('../', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'sluice-warm-'))
chmodSync(scratch, 0o755)
const tell = (text: string) => process.stderr.write(`${text}\n`)

/** One of those that are compared, with what it is asked. */
interface Contender {
  readonly name: string
  readonly server: Server
  readonly paths: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

const servers: Server[] = []
try {
  tell('drawing photos')
  const photos = join(scratch, 'photos')
  await drawPhotos(photos)
  const [cell] = cellsIn(photos)
  const names = (cell?.files ?? []).slice(0, VARIANTS)
  const paths = names.map((name) => `/i/w=512,h=512,fit=cover,format=jpeg,q=80/${name}`)
  const memory = await startSluice('memory', photos, { SLUICE_CACHE_DIR: 'off', SLUICE_CACHE_MEMORY: '64MB' })
  const disk = await startSluice('disk', photos, { SLUICE_CACHE_MEMORY: 'off' })
  const pictures = join(scratch, 'static')
  mkdirSync(pictures)
  let etag = ''
  let bytes = 0
  for (const [index, path] of paths.entries()) {
    const { body, status, headers } = await ask(memory.url + path)
    if (status !== 200) throw new Error(`Status ${status} for ${path}`)
    await ask(disk.url + path)
    writeFileSync(join(pictures, names[index] as string), body)
    bytes += body.length
    etag = String(headers.etag)
  }
  // All copies are one photo, so one tag fits all.
  const nginx = await startNginx(pictures)
  const contenders: Contender[] = [
    { name: 'nginx, files', server: nginx, paths: names.map((name) => `/${name}`), headers: {} },
    { name: 'Sluice, memory', server: memory, paths, headers: {} },
    { name: 'Sluice, disk', server: disk, paths, headers: {} },
    { name: 'Sluice, 304', server: memory, paths, headers: { 'If-None-Match': etag } },
  ]
  for (const { name, server, paths: asked } of contenders.slice(0, 3)) {
    const { status, body } = await ask(server.url + asked[0])
    if (status !== 200 || body.length < 1000)
      throw new Error(`${name} answered ${status} with ${body.length} bytes`)
  }
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds + 1; round++) {
    for (const contender of contenders) {
      const rate = await measure(contender)
      // The first round warms all of them up.
      if (round > 0) rates.get(contender.name)?.push(rate)
    }
    tell(
      `round ${round}: ${contenders.map(({ name }) => `${name} ${Math.round(rates.get(name)?.at(-1) ?? 0)}/s`).join(', ')}`,
    )
  }
  report(rates, bytes / paths.length)
} finally {
  await Promise.allSettled(servers.map((server) => server.stop()))
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()

async function startSluice(name: string, photos: string, env: Record<string, string>): Promise<Server> {
  const server = await startServer(
    (port) => [process.execPath, `${root}src/cli/main.ts`, 'serve', '--port', String(port)],
    {
      path: '/readyz',
      env: {
        SLUICE_ROOT: photos,
        SLUICE_ADMIN_PORT: 'off',
        SLUICE_LOG_LEVEL: 'warn',
        SLUICE_CACHE_DIR: join(scratch, `cache-${name}`),
        ...env,
      },
    },
  )
  servers.push(server)
  return server
}

async function startNginx(folder: string): Promise<Server> {
  const server = await startServer((port) => {
    const file = join(scratch, 'nginx.conf')
    writeFileSync(
      file,
      `daemon off; worker_processes ${availableParallelism()}; error_log ${scratch}/error.log; pid ${scratch}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; types { image/jpeg jpg; }
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`,
    )
    return ['nginx', '-c', file, '-p', scratch]
  })
  servers.push(server)
  return server
}

/** Answers a second, by a generator that costs little beside the servers. */
async function measure({ server, paths, headers }: Contender): Promise<number> {
  const script = join(scratch, 'paths.lua')
  const list = paths.map((path) => JSON.stringify(path)).join(', ')
  const fields = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  )
  writeFileSync(
    script,
    `${fields.join('\n')}
local paths = { ${list} }
local at = 0
function request()
  at = at % #paths + 1
  return wrk.format('GET', paths[at])
end
`,
  )
  const child = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, server.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await once(child, 'close')
  if (/Non-2xx or 3xx|Socket errors/.test(output)) throw new Error(`Wrong answers:\n${output}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
}

function report(rates: ReadonlyMap<string, readonly number[]>, meanBytes: number): void {
  const ratio = (a: string, b: string) =>
    median((rates.get(a) ?? []).map((rate, round) => rate / (rates.get(b)?.[round] ?? Number.NaN)))
  const targets = [
    ['memory hits ÷ nginx', 0.7, ratio('Sluice, memory', 'nginx, files')],
    ['disk hits ÷ nginx', 0.35, ratio('Sluice, disk', 'nginx, files')],
    ['304 ÷ memory hits', 1, ratio('Sluice, 304', 'Sluice, memory')],
  ] as const
  const lines = [
    '# Warm pictures',
    '',
    `Written by \`npm run bench:warm\` on ${new Date().toISOString().slice(0, 10)}: ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 1e9)} GB, Node ${process.versions.node}.`,
    `${VARIANTS} pictures of ${(meanBytes / 1000).toFixed(0)} kB, ${CONNECTIONS} connections, ${rounds} rounds of ${seconds} s in turns; wrk with one thread runs on the same`,
    'cores. Sluice serves from one process, nginx from one per core. Ratios are medians of those within each round.',
    '',
    '| | answers/s, median |',
    '| --- | ---: |',
    ...[...rates].map(([name, values]) => `| ${name} | ${Math.round(median(values))} |`),
    '',
    '| target | wanted | found | |',
    '| --- | --- | ---: | --- |',
    ...targets.map(
      ([name, wanted, found]) =>
        `| ${name} | ≥ ${wanted} | ${found.toFixed(2)} | ${found >= wanted ? 'met' : '**missed**'} |`,
    ),
  ]
  tell(lines.slice(2).join('\n'))
  if (flags.quick) return
  const base = fileURLToPath(new URL(`./results/${flags.name}`, import.meta.url))
  writeFileSync(`${base}.md`, `${lines.join('\n')}\n`)
  writeFileSync(`${base}.json`, `${JSON.stringify(Object.fromEntries(rates), undefined, 2)}\n`)
}
