import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { readMessageSync, WORKER_FD, writeMessageSync } from '../protocol.ts'

/*
 * A worker as an attacker would have it: tries what each request names and reports the outcome.
 */

async function outcome(attempt: string, argument: string): Promise<string> {
  try {
    return (await attempts[attempt]?.(argument)) ?? 'unknown attempt'
  } catch (error) {
    return `refused: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`
  }
}

const attempts: Readonly<Record<string, (argument: string) => string | Promise<string>>> = {
  read: (path) => `read ${readFileSync(path).length} bytes`,
  list: (path) => `listed ${readdirSync(path).length}`,
  write(path) {
    writeFileSync(path, 'x')
    return 'written'
  },
  exec(path) {
    const { error, status } = spawnSync(path)
    if (error !== undefined) throw error
    return `ran, status ${status}`
  },
  kill(pid) {
    process.kill(Number(pid), 0)
    return 'signalled'
  },
  tcp: (port) =>
    new Promise((resolve, reject) => {
      connect(Number(port), '127.0.0.1', () => resolve('connected')).on('error', reject)
    }),
  unix: (path) =>
    new Promise((resolve, reject) => {
      connect(path, () => resolve('connected')).on('error', reject)
    }),
  udp: (port) =>
    new Promise((resolve, reject) => {
      const socket = createSocket('udp4').on('error', reject)
      socket.send('x', Number(port), '127.0.0.1', (error) =>
        error === null ? resolve('sent') : reject(error),
      )
    }),
  environment: () => Object.keys(process.env).toSorted().join(' '),
  hang() {
    for (;;);
  },
  abort: () => process.abort(),
  leave: () => process.exit(0),
}

writeMessageSync(WORKER_FD, { kind: 'ready', versions: {}, payloads: [] } as never)
for (;;) {
  const message = readMessageSync<{
    kind: string
    id: number
    attempt: string
    argument: string
    payloads: number[]
  }>(WORKER_FD)
  if (message === undefined) break
  const { id, attempt, argument } = message.header
  const detail = await outcome(attempt, argument)
  writeMessageSync(WORKER_FD, {
    kind: 'error',
    id,
    code: 'internal',
    detail,
    facts: {},
    payloads: [],
  } as never)
}
