import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CALIBRATION_CASES, calibrate } from '../test/helpers/calibrate.ts'

/*
 * Compares estimates of memory with what workers really grew by: `npm run calibrate [name]`. Without a name all
 * cases run and the table in `bench/results/` is written anew.
 */
const [only] = process.argv.slice(2)
const cases = CALIBRATION_CASES.filter(({ name }) => only === undefined || name.includes(only))
const mb = (bytes: number) => (bytes / 1e6).toFixed(1)
const rows: string[] = []
for (const [index, wanted] of cases.entries()) {
  const { name, megapixels, grownBytes, estimatedBytes } = await calibrate(wanted)
  const ratio = estimatedBytes / grownBytes
  rows.push(
    `| ${name} | ${megapixels.toFixed(1)} | ${mb(grownBytes)} | ${mb(estimatedBytes)} | ${ratio.toFixed(2)} |`,
  )
  process.stdout.write(`${index + 1}/${cases.length} ${rows.at(-1)}\n`)
}
if (only === undefined) {
  const folder = fileURLToPath(new URL('../bench/results/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    `${folder}calibration.md`,
    `# Estimated and measured memory of a job

Written by \`npm run calibrate\` on Node ${process.versions.node}, ${process.platform} ${process.arch}. Growth is the highest resident
memory of a fresh worker during its only job less what it held before, the largest of up to five runs. The
test suite holds every row: never more than the estimate, and over 2 MP an estimate of at most three times the
growth. A row names pixels of one frame.

| case | MP | grown, MB | estimated, MB | estimate ÷ growth |
| --- | ---: | ---: | ---: | ---: |
${rows.join('\n')}
`,
  )
}
