import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createDiskStore } from '../../src/store/index.ts'
import { silentTelemetry } from '../../src/telemetry/index.ts'
import { bytesOf, keyOf, readOpened } from '../helpers/store-entries.ts'

const writer = fileURLToPath(new URL('./workers/store-writer.ts', import.meta.url))
/** More calls than the writer makes; each way through it takes every second one. */
const MAX_POINTS = 120

/** Kill after kill in one folder, as a process that is restarted again and again. */
async function killAll(from: number): Promise<{ readonly kills: number; readonly hits: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
  for (const name of ['tmp', 'objects']) mkdirSync(join(folder, name))
  let [kills, hits] = [0, 0]
  for (let point = from; point <= MAX_POINTS; point += 2) {
    const { code, signal } = await run([folder, String(point), String(point)])
    if (signal === 'SIGKILL') kills += 1
    else expect(code).toBe(0)
    hits += await check(folder)
    if (signal === null) break
  }
  rmSync(folder, { recursive: true })
  return { kills, hits }
}

async function check(folder: string): Promise<number> {
  const store = createDiskStore({ folder, maxBytes: 150_000, name: 'disk', telemetry: silentTelemetry })
  let hits = 0
  for (let i = 0; i < 5; i += 1) {
    const found = await store.get(keyOf(i), { signal: new AbortController().signal })
    const opened = await readOpened(store, keyOf(i), 10_000)
    expect(opened === undefined).toBe(found === undefined)
    if (found === undefined) continue
    const { i: which, version, length } = found.meta as { i: number; version: number; length: number }
    expect(which).toBe(i)
    const right = bytesOf(i, version, length)
    expect(right.equals(found.bytes) && right.equals(opened as Buffer)).toBe(true)
    hits += 1
  }
  await store.settled()
  expect(readdirSync(join(folder, 'tmp'))).toEqual([])
  const files = readdirSync(join(folder, 'objects'), { recursive: true, encoding: 'utf8' })
  // Every file is counted, and every row has its file: the reads above removed those that had none.
  expect(files.filter((name) => /[0-9a-f]{64}$/.test(name)).length).toBe(store.stats().entries)
  expect(store.stats().bytes).toBeLessThanOrEqual(150_000)
  await store.close()
  return hits
}

function run(args: readonly string[]): Promise<{ code: number | null; signal: string | null }> {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
}

test('[C-03] [row 102] a kill at any point of a write leaves the right bytes or none, and no orphan', async () => {
  const [odd, even] = await Promise.all([killAll(1), killAll(2)])
  expect(odd.kills + even.kills).toBeGreaterThan(35)
  expect(Math.min(odd.hits, even.hits)).toBeGreaterThan(30)
})
