import { type Loaded, loadConfig } from '../config/index.ts'

/** Arguments of a command, split. */
export interface Arguments {
  readonly positional: readonly string[]
  /** Settings by flag name. */
  readonly flags: Readonly<Record<string, string>>
  /** Flags of the command itself. */
  readonly own: Readonly<Record<string, string>>
}

/** Loads the configuration for a command and tells what was ignored. */
export function configOf(flags: Arguments['flags']): Loaded {
  const loaded = loadConfig({ env: process.env, flags })
  for (const warning of loaded.warnings) process.stderr.write(`sluice: ${warning}\n`)
  return loaded
}
