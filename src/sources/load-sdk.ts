import { createRequire } from 'node:module'
import { SluiceError } from '../errors/index.ts'

/**
 * Makes sure at the start that an SDK can be loaded later: buckets that are configured and cannot be read are no
 * surprise for the first visitor.
 *
 * @throws {SluiceError} `config-invalid` that says what to install.
 */
export function requireSdk(name: string, what: string): void {
  try {
    createRequire(import.meta.url).resolve(name)
  } catch {
    throw new SluiceError(
      'config-invalid',
      `${what} needs the package "${name}", which is not installed: run "npm install ${name}"`,
    )
  }
}
