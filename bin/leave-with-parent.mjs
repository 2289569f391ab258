// Loaded before the sources when run-on-node.mjs had to start another Node.
import { Socket } from 'node:net'

const fd = Number(process.env.SLUICE_PARENT_FD)
// Children of this process must not take it for their own.
delete process.env.SLUICE_PARENT_FD

if (Number.isInteger(fd) && fd > 2) {
  const parent = new Socket({ fd, readable: true, writable: false })
  const leave = () => process.kill(process.pid, 'SIGTERM')
  parent.on('error', leave).on('close', leave)
  parent.resume()
  // Waiting for the parent is no reason to stay: work alone keeps this process alive.
  parent.unref()
}
