import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

/*
 * Who may import whom (ARCHITECTURE.md shows the same as a picture). A red test here is an invitation to write an
 * ADR, not to widen a row in passing.
 */
const LAYER_0 = ['errors', 'flow', 'telemetry']
const LAYER_1 = ['recipe', 'operations', 'geometry']
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  flow: [],
  telemetry: [],
  geometry: ['errors'],
  operations: ['geometry', 'errors'],
  recipe: ['operations', 'geometry', 'errors'],
  // The native language takes its keys from the operations' own definitions (ADR 0008).
  dialects: ['recipe', 'operations', 'errors'],
  engine: [...LAYER_1, ...LAYER_0],
  worker: ['engine', ...LAYER_1, 'errors'],
  sources: LAYER_0,
  store: ['recipe', ...LAYER_0],
  delivery: ['recipe', 'errors'],
  signing: ['recipe', 'errors'],
  service: ['dialects', 'engine', 'sources', 'store', 'delivery', 'signing', ...LAYER_1, ...LAYER_0],
  uploads: ['service', 'store', 'sources', ...LAYER_1, ...LAYER_0],
  jobs: ['service', 'store', 'sources', ...LAYER_1, ...LAYER_0],
  http: ['service', 'uploads', 'jobs', 'dialects', 'delivery', 'signing', ...LAYER_1, ...LAYER_0],
  client: ['recipe', 'dialects', 'signing', 'errors'],
  playground: ['client', 'recipe', 'operations'],
}
/** Read by `main.ts` and `cli/` only; both may import every front door. */
const WIRING = ['main.ts', 'cli', 'config']

/** Folder pairs that the table leaves out but that only share types: nothing of them is there at run time. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = { http: ['engine'] }

/** Files beside `index.ts` that another folder may name, and who. */
const SIDE_DOORS: Readonly<Record<string, readonly string[]>> = {
  'engine/protocol.ts': ['worker'],
  'engine/messages.ts': ['worker'],
}

/** npm packages and Node built-ins per folder; a folder that is not listed takes none. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  telemetry: ['prom-client'],
  operations: ['zod'],
  recipe: ['zod'],
  dialects: ['zod'],
  engine: ['zod', 'koffi', 'node:'],
  worker: ['sharp', 'node:'],
  sources: [
    'zod',
    'undici',
    'ipaddr.js',
    'http-cache-semantics',
    '@aws-sdk/client-s3',
    '@google-cloud/storage',
    '@azure/storage-blob',
    'node:',
  ],
  store: ['zod', 'lru-cache', '@aws-sdk/client-s3', 'node:'],
  delivery: ['zod'],
  signing: ['zod'],
  service: ['zod', 'node:crypto'],
  http: ['zod', 'fastify', '@fastify/busboy', 'node:'],
  config: ['zod', 'node:'],
  cli: ['node:'],
  'main.ts': ['pino', 'node:'],
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const root = fileURLToPath(new URL('../src/', import.meta.url))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('/testing/'),
)
const imports = files.flatMap(importsOf)
const inner = imports.filter(({ to }) => to.endsWith('.ts'))
const outer = imports.filter(({ to }) => !to.endsWith('.ts'))
const crossing = inner.filter(({ from, to }) => folderOf(from) !== folderOf(to))

describe('the import table', () => {
  test('reads the imports of every folder', () => {
    // Were the pattern below to miss, every other test here would pass for nothing.
    expect(crossing.length).toBeGreaterThan(50)
    expect(new Set(crossing.map(({ from }) => folderOf(from))).size).toBeGreaterThan(8)
    expect(outer.some(({ from, to }) => from.startsWith('worker/') && to === 'sharp')).toBe(true)
  })

  test('lets each folder import only what lies below it', () => {
    const strangers = crossing.filter(({ from, to, typeOnly }) => {
      const [folder, target] = [folderOf(from), folderOf(to)]
      if (folder === 'config') return false
      if (WIRING.includes(folder)) return false
      if (typeOnly && TYPES_ONLY[folder]?.includes(target)) return false
      return !ALLOWED[folder]?.includes(target)
    })
    expect(strangers.map(arrow)).toEqual([])
  })

  test('is read by main.ts and cli/ only where it is about wiring', () => {
    const readers = crossing.filter(({ from, to }) => {
      const target = folderOf(to)
      return WIRING.includes(target) && !['main.ts', 'cli'].includes(folderOf(from))
    })
    expect(readers.map(arrow)).toEqual([])
  })

  test('knows every folder', () => {
    const known = [...Object.keys(ALLOWED), ...WIRING]
    expect([...new Set(files.map(folderOf))].filter((folder) => !known.includes(folder))).toEqual([])
  })

  test('has no cycle between folders', () => {
    const arrows = new Map<string, Set<string>>()
    for (const { from, to } of crossing.filter(({ typeOnly }) => !typeOnly)) {
      const [folder, target] = [folderOf(from), folderOf(to)]
      arrows.set(folder, (arrows.get(folder) ?? new Set()).add(target))
    }
    const cycles = [...arrows.keys()].filter((folder) => reaches(arrows, folder, folder))
    expect(cycles).toEqual([])
  })

  test('lets folders meet at their front doors', () => {
    const sneaked = crossing.filter(({ from, to }) => {
      if (to === 'main.ts' || to.endsWith('/index.ts')) return false
      return !SIDE_DOORS[to]?.includes(folderOf(from))
    })
    expect(sneaked.map(arrow)).toEqual([])
  })

  test('names the packages that each folder touches', () => {
    const strangers = outer.filter(({ from, to, typeOnly }) => {
      // `import type { Sharp } from 'sharp'` leaves nothing behind.
      if (typeOnly) return false
      return !PACKAGES[folderOf(from)]?.some((name) => (name === 'node:' ? to.startsWith(name) : to === name))
    })
    expect(strangers.map(arrow)).toEqual([])
  })
})

describe('the server process', () => {
  test('[D-01] has no pixel library in its module graph', () => {
    const seen = new Set<string>()
    const waiting = ['cli/main.ts', 'cli/serve.ts', 'cli/transform.ts', 'main.ts']
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (seen.has(file)) continue
      seen.add(file)
      for (const { from, to, typeOnly } of imports) {
        if (from === file && !typeOnly && to.endsWith('.ts')) waiting.push(to)
      }
    }
    expect(seen.size).toBeGreaterThan(60)
    const native = outer.filter(({ from, to, typeOnly }) => seen.has(from) && to === 'sharp' && !typeOnly)
    expect(native.map(arrow)).toEqual([])
    expect([...seen].filter((file) => file.startsWith('worker/'))).toEqual([])
  })

  test('imports the pixel library in one file of worker/ alone', () => {
    const users = outer.filter(({ to, typeOnly }) => to === 'sharp' && !typeOnly).map(({ from }) => from)
    expect(users).toEqual(['worker/pixel-library.ts'])
  })

  test('[I-11] never lifts the limits of a decoder', () => {
    const lifted = files.filter((file) => /\bunlimited\s*:/.test(read(file)))
    expect(lifted).toEqual([])
  })
})

describe('a folder with a list', () => {
  test.for([
    ['operations', /defineOperation[<(]/],
    ['sources', /\): Source \{$|: Source =/m],
  ] as const)('%s/ names every file that defines an entry', ([folder, defines]) => {
    const index = read(`${folder}/index.ts`)
    const entries = files.filter(
      (file) =>
        file.startsWith(`${folder}/`) && !/\/(?:define|index)\.ts$/.test(file) && defines.test(read(file)),
    )
    expect(entries.length).toBeGreaterThan(0)
    const forgotten = entries.filter((file) => !index.includes(`from './${file.slice(folder.length + 1)}'`))
    expect(forgotten).toEqual([])
  })

  test('dialects/ names every language', () => {
    const index = read('dialects/index.ts')
    const languages = files.filter((file) => /^dialects\/([^/]+)\/\1\.ts$/.test(file))
    expect(languages.length).toBeGreaterThan(0)
    expect(languages.filter((file) => !index.includes(`from './${file.slice(9)}'`))).toEqual([])
  })
})

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** Static and dynamic imports and re-exports; what only names types vanishes when types are stripped. */
function importsOf(file: string): Import[] {
  const pattern =
    /^(?:import|export)\s+([^'"`;]*?)\s*from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm
  return [...read(file).matchAll(pattern)].map(([, names, from, bare, dynamic]) => {
    const target = from ?? bare ?? dynamic ?? ''
    return {
      from: file,
      to: target.startsWith('.') ? relative(root, normalize(join(root, dirname(file), target))) : target,
      // `import { type A }` is kept for its side effects under `verbatimModuleSyntax`: it counts as an import.
      typeOnly: /^type\s+[{*\w]/.test(names ?? ''),
    }
  })
}

function folderOf(file: string): string {
  return file.split('/')[0] as string
}

function arrow({ from, to }: Import): string {
  return `${from} -> ${to}`
}

function reaches(arrows: ReadonlyMap<string, ReadonlySet<string>>, from: string, to: string): boolean {
  const seen = new Set<string>()
  const waiting = [...(arrows.get(from) ?? [])]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (folder === to) return true
    if (seen.has(folder)) continue
    seen.add(folder)
    waiting.push(...(arrows.get(folder) ?? []))
  }
  return false
}
