import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { SluiceError } from '../errors/index.ts'
import type { EngineOptions } from './options.ts'
import type { SandboxStatus } from './types.ts'
import { entryPath } from './worker-process.ts'

/** Node needs this much address space before the first pixel; limits below it make it abort at start. */
const BASE_ADDRESS_SPACE = 6_500_000_000

// Stripping types runs in WebAssembly, whose guard regions would reserve 4 GB more address space.
const NODE_FLAGS = [
  '--disable-wasm-trap-handler',
  '--no-warnings',
  '--max-semi-space-size=4',
  '--max-old-space-size=512',
]

/** How worker processes are started: through the launcher where the system allows, and what is known of it. */
export interface Sandbox {
  readonly command: (kind: 'worker' | 'probe') => readonly string[]
  /** Why workers start without a launcher. */
  readonly unavailable: string | undefined
}

/**
 * Chooses how workers are locked in.
 *
 * @throws {SluiceError} `config-invalid` when a sandbox is required and this system has none.
 */
export function createSandbox(mode: EngineOptions['sandbox'], maxPlanBytes: number): Sandbox {
  const unavailable = mode === 'off' ? 'switched off' : obstacle()
  if (mode === 'required' && unavailable !== undefined) throw unmet(unavailable)
  const launcher = fileURLToPath(new URL('./launcher.ts', import.meta.url))
  const space = String(BASE_ADDRESS_SPACE + 2 * maxPlanBytes)
  return {
    unavailable,
    command: (kind) =>
      unavailable === undefined
        ? [process.execPath, ...NODE_FLAGS, launcher, space, entryPath(kind)]
        : [process.execPath, ...NODE_FLAGS, entryPath(kind)],
  }
}

/** @throws {SluiceError} `config-invalid` when less was reached than `required` asks for. */
export function checkSandbox(mode: EngineOptions['sandbox'], { level, missing }: SandboxStatus): void {
  if (mode === 'required' && level !== 'landlock+seccomp+rlimits')
    throw unmet(missing ?? `only "${level}" was reached`)
}

function unmet(why: string): SluiceError {
  return new SluiceError('config-invalid', `Cannot start with SLUICE_SANDBOX=required: ${why}`)
}

function obstacle(): string | undefined {
  if (process.platform !== 'linux') return `no sandbox for ${process.platform}`
  try {
    createRequire(import.meta.url).resolve('koffi')
    return undefined
  } catch {
    return 'the optional package "koffi" is not installed'
  }
}
