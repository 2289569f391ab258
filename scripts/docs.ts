import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateDocs } from './generate-docs.ts'

/*
 * Writes the generated pages: `npm run docs`. A page of a problem that no longer exists is removed.
 */
const root = fileURLToPath(new URL('../', import.meta.url))
const pages = generateDocs()

for (const [path, text] of pages) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
for (const name of readdirSync(join(root, 'docs/problems'))) {
  if (!pages.has(`docs/problems/${name}`)) rmSync(join(root, 'docs/problems', name))
}
process.stdout.write(`${pages.size} pages written\n`)
