#!/usr/bin/env node
// `npm test`: lint, types and every suite, on the right Node, with one closing line of real counts.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNode, isFit, OLDEST_NODE, packageRoot } from './find-node.mjs'

const filters = process.argv.slice(2)
const node = isFit(process.version) ? process.execPath : findNode()
if (node === undefined) {
  process.stderr.write(
    `sluice: Node ${OLDEST_NODE} or newer is needed: run "npm ci" first, or install Node 24\n`,
  )
  process.exit(1)
}
const requireAll = process.env.SLUICE_TEST_REQUIRE === 'all'
const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
const report = join(folder, 'report.json')
const modules = join(packageRoot, 'node_modules')
let passed = 0
let failed = 0
let skipped = 0

try {
  if (filters.length === 0) {
    await check('lint', ['@biomejs/biome/bin/biome', 'check', '.'])
    await check('types', ['typescript/bin/tsc', '--noEmit'])
  }
  const status = await run([
    'vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...filters,
  ])
  const {
    numPassedTests,
    numFailedTests,
    numPendingTests,
    numTodoTests = 0,
    testResults,
  } = JSON.parse(readFileSync(report, 'utf8'))
  passed += numPassedTests
  failed += numFailedTests
  skipped += numPendingTests + numTodoTests
  // A suite that could not even start has no test that failed.
  const broken = testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'),
  )
  failed += broken.length
  if (status !== 0 && failed === 0) failed = 1
  for (const suite of testResults) {
    const left = suite.assertionResults.filter(
      (test) => test.status === 'pending' || test.status === 'skipped',
    ).length
    if (left > 0) process.stdout.write(`skipped: ${left} in ${suite.name.replace(`${packageRoot}/`, '')}\n`)
  }
} catch (error) {
  process.stderr.write(`The tests could not be run: ${error.message}\n`)
  failed += 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (requireAll && skipped > 0) {
  process.stdout.write('SLUICE_TEST_REQUIRE=all: a skipped test is a failure here\n')
  failed += skipped
  skipped = 0
}
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

async function check(name, args) {
  const status = await run(args)
  process.stdout.write(`${name}: ${status === 0 ? 'ok' : 'failed'}\n`)
  if (status === 0) passed += 1
  else failed += 1
}

function run([script, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [join(modules, script), ...args], { cwd: packageRoot, stdio: 'inherit' })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
