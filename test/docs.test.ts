import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { generateDocs } from '../scripts/generate-docs.ts'
import { native } from '../src/dialects/index.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const pages = generateDocs()
const written = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].concat(
  readdirSync(join(root, 'docs/adr')).map((name) => `docs/adr/${name}`),
)
const read = (path: string) => readFileSync(join(root, path), 'utf8')

describe('the generated pages', () => {
  test('are what `npm run docs` writes', () => {
    const stale = [...pages].filter(([path, text]) => !existsSync(join(root, path)) || read(path) !== text)
    expect(stale.map(([path]) => path)).toEqual([])
  })

  test('hold no page of a problem that is gone', () => {
    const found = readdirSync(join(root, 'docs/problems')).map((name) => `docs/problems/${name}`)
    expect(found.filter((path) => !pages.has(path))).toEqual([])
  })
})

describe('the written pages', () => {
  test('link to files that exist', () => {
    const broken = written.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)]
        .filter(([, target]) => !existsSync(join(root, dirname(path), target as string)))
        .map(([, target]) => `${path} -> ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('name source files that exist', () => {
    const named = written.flatMap((path) =>
      [...read(path).matchAll(/`((?:src|test|scripts|bin|bench)\/[\w./-]+\.(?:ts|mjs|tsv|json))`/g)].map(
        ([, file]) => ({ path, file: file as string }),
      ),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(({ file }) => !existsSync(join(root, file)))).toEqual([])
  })

  test('show URLs that the native language reads', () => {
    const urls = [
      ...read('README.md').matchAll(
        /(?:localhost|127\.0\.0\.1):8080(\/(?:i|info|explain|upload)\/[^\s`'")]+)/g,
      ),
    ]
    expect(urls.length).toBeGreaterThanOrEqual(5)
    for (const [, target] of urls) expect(() => native.parse(native.claim(target as string))).not.toThrow()
  })

  test('keep ARCHITECTURE.md within 200 lines', () => {
    expect(read('ARCHITECTURE.md').split('\n').length).toBeLessThanOrEqual(200)
  })
})
