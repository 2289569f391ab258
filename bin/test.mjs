#!/usr/bin/env node
// `npm test`: lint, types and every suite, on the right Node, with one closing line of real counts.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { findNode, isFit, OLDEST_NODE, packageRoot } from './find-node.mjs'

/** Everything ends by itself, even when a suite hangs. */
const LIMIT_MINUTES = 25
/** Suites that run against the servers of `test/servers`. */
const SERVER_SUITES = ['test/conformance/bucket-sources.test.ts', 'test/http/readme-bucket.test.ts']

const deadline = Date.now() + LIMIT_MINUTES * 60_000
const filters = process.argv.slice(2)
const node = isFit(process.version) ? process.execPath : findNode()
if (node === undefined) {
  process.stderr.write(
    `sluice: Node ${OLDEST_NODE} or newer is needed: run "npm ci" first, or install Node 24\n`,
  )
  process.exit(1)
}
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
const requireAll = process.env.SLUICE_TEST_REQUIRE === 'all'
const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
const report = join(folder, 'report.json')
const modules = join(packageRoot, 'node_modules')
let passed = 0
let failed = 0
let skipped = 0

try {
  installDebianPackages()
  installTestServers()
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

/** Some suites drive programs that npm does not bring. Only root can install them; else they skip and say so. */
function installDebianPackages() {
  const needs = JSON.parse(readFileSync(join(packageRoot, 'test/debian-packages.json'), 'utf8'))
  const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
  const missing = needs.filter(
    ({ suite, command }) =>
      (filters.length === 0 || filters.some((text) => suite.includes(text))) && !has(command),
  )
  if (missing.length === 0) return
  const names = missing.map((need) => need.package)
  if (process.getuid?.() === 0 && has('apt-get')) {
    process.stdout.write(`installing ${names.join(', ')} with apt-get, a minute or two\n`)
    const options = {
      stdio: ['ignore', 'ignore', 'inherit'],
      // Run level 1: a package that brings a service does not start it.
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
      timeout: 8 * 60_000,
    }
    spawnSync('apt-get', ['update', '-qq'], options)
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...names]
    if (spawnSync('apt-get', install, options).status === 0) return
    process.stdout.write('apt-get failed\n')
  }
  for (const { suite, package: name } of missing)
    process.stdout.write(`${suite} will be skipped: it needs the Debian package "${name}"\n`)
}

/** Object stores for tests are far heavier than Sluice: they have packages of their own, installed when they are needed. */
function installTestServers() {
  const needed = SERVER_SUITES.filter(
    (suite) => filters.length === 0 || filters.some((text) => suite.includes(text)),
  )
  const servers = join(packageRoot, 'test/servers')
  const lock = changed(join(servers, 'package-lock.json'))
  // npm writes this file last, so a broken installation is not taken for a whole one.
  if (needed.length === 0 || changed(join(servers, 'node_modules/.package-lock.json')) >= lock) return
  process.stdout.write('installing the servers of test/servers with npm, half a minute\n')
  const install = ['ci', '--prefix', servers, '--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  const { status } = spawnSync('npm', install, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
    timeout: 8 * 60_000,
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  for (const suite of needed)
    process.stdout.write(`${suite} will be skipped in part: npm could not install test/servers\n`)
}

/** When a file was written, ms; 0 for none. */
function changed(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Runs a script in a process group of its own, so that nothing of it outlives the limit or a signal. */
function run([script, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [join(modules, script), ...args], {
      cwd: packageRoot,
      env,
      stdio: 'inherit',
      detached: process.platform !== 'win32',
    })
    const kill = (signal) => {
      try {
        process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
      } catch {
        // It has ended already.
      }
    }
    const forward = (signal) => {
      kill(signal)
      setTimeout(() => process.exit(128 + constants.signals[signal]), 3000).unref()
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.once(signal, forward)
    const timer = setTimeout(
      () => {
        process.stdout.write(`stopped after ${LIMIT_MINUTES} minutes\n`)
        kill('SIGKILL')
      },
      Math.max(0, deadline - Date.now()),
    )
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(timer)
      for (const signal of signals) process.off(signal, forward)
      resolve(code ?? 1)
    })
  })
}
