// Plain JavaScript: this must run on any Node from 18 on, so that it can find the one the sources need.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Oldest Node that runs the sources as they stand (type stripping without a flag). */
export const OLDEST_NODE = '22.19.0'

/** Folder of the package, where `src/` and `bin/` lie. */
export const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)))

/** Whether `version` (`v24.1.0` or `24.1.0`) is at least `OLDEST_NODE`. */
export function isFit(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST_NODE.split('.').map(Number)
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/**
 * Path of a Node that is new enough, brought by an optional dependency of this package; `undefined` without one.
 *
 * The packages hold nothing but the official binary, one per platform; npm installs the one that fits.
 */
export function findNode(root = packageRoot) {
  const require = createRequire(join(root, 'package.json'))
  const { platform, arch } = process
  const names = [`node-${platform === 'win32' ? 'win' : platform}-${arch}`, `node-bin-${platform}-${arch}`]
  for (const name of names) {
    try {
      const manifest = require.resolve(`${name}/package.json`)
      const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'))
      const file = join(dirname(manifest), typeof bin === 'string' ? bin : (bin?.node ?? 'bin/node'))
      if (isFit(version) && existsSync(file)) return file
    } catch {
      // This package is not for this platform, or npm was told to leave optional dependencies out.
    }
  }
  return undefined
}
