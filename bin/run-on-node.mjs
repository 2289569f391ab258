// Plain JavaScript: see find-node.mjs.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findNode, isFit, OLDEST_NODE, packageRoot } from './find-node.mjs'

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']

/**
 * Runs `script` (relative to the package) with `args` on a Node that is new enough: in this process when it is,
 * else in a child that has the same standard streams, gets the same signals and ends with the same status.
 */
export async function runOnNode(script, args) {
  const file = join(packageRoot, script)
  if (isFit(process.version)) {
    process.argv = [process.argv[0], file, ...args]
    await import(pathToFileURL(file).href)
    return
  }
  const node = findNode()
  if (node === undefined) {
    process.stderr.write(
      `sluice: Node ${OLDEST_NODE} or newer is needed, this is ${process.version.slice(1)}, and no newer one was installed with the package: install Node 24 from https://nodejs.org\n`,
    )
    process.exit(1)
  }
  // The fourth stream is a pipe nobody writes to: its end tells the child that this process is gone, even after
  // kill -9, where no signal can be forwarded. `leave-with-parent.mjs` waits for it.
  const watcher = pathToFileURL(join(packageRoot, 'bin/leave-with-parent.mjs')).href
  const child = spawn(node, ['--import', watcher, file, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, SLUICE_PARENT_FD: '3' },
  })
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`sluice: cannot start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    // 128 + n is how shells report a death by signal n.
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}
