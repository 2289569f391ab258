import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Answer } from './messages.ts'
import { WORKER_FD, writeMessageSync } from './protocol.ts'
import { seccompFilter } from './seccomp.ts'

/*
 * Entry of every worker process: locks itself in, then becomes the worker (`execve`). It must happen before Node
 * starts threads of the worker, so it cannot be an addon inside of it.
 *
 *   node launcher.ts <bytes of address space> <script>
 */

const [addressSpace = '0', script = ''] = process.argv.slice(2)
const root = fileURLToPath(new URL('../..', import.meta.url))
const { default: koffi } = await import('koffi')
const libc = koffi.load('libc.so.6')
const call = libc.func('long syscall(long number, ...)')
const prctl = libc.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
)
const setrlimit = libc.func('int setrlimit(int resource, const void *limit)')
const fcntl = libc.func('int fcntl(int fd, int command, int value)')
const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)')

const levels: string[] = []
const missing: string[] = []

// A server that dies takes its workers along, even by kill -9; one that died just before leaves us to init.
const parent = process.ppid
prctl(1, 9, 0, 0, 0)
if (process.ppid !== parent) process.exit(1)

limit(4, 0) // core dumps hold pixels of users
limit(1, 0) // no file can grow
limit(7, 128)
if (Number(addressSpace) > 0) limit(9, Number(addressSpace))
prctl(38, 1, 0, 0, 0) // no new privileges
attempt('landlock', restrictFiles)
attempt('seccomp', restrictCalls)
levels.push('rlimits')

const report: Answer = {
  kind: 'sandbox',
  level: levels.join('+'),
  ...(missing.length === 0 ? {} : { missing: missing.join('; ') }),
  payloads: [],
}
writeMessageSync(WORKER_FD, report)

// Node marks what it inherits close-on-exec; the worker's socket must survive, everything else must not.
call(436, 'unsigned int', 4, 'unsigned int', 0xffffffff, 'unsigned int', 4)
for (const fd of [0, 1, 2, WORKER_FD]) fcntl(fd, 2, 0)
const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)
execve(process.execPath, [process.execPath, ...process.execArgv, script, null], [...environment, null])
process.stderr.write(`Cannot start "${script}": execve failed (errno ${koffi.errno()})\n`)
process.exit(1)

function attempt(name: string, restrict: () => void): void {
  try {
    restrict()
    levels.push(name)
  } catch (error) {
    missing.push(`${name}: ${(error as Error).message}`)
  }
}

function limit(resource: number, value: number): void {
  setrlimit(resource, new BigUint64Array([BigInt(value), BigInt(value)]))
}

/** Landlock: reading what Node, the libraries and the application need, executing Node alone, nothing else. */
function restrictFiles(): void {
  const abi = Number(call(444, 'void *', null, 'size_t', 0, 'unsigned int', 1))
  if (abi < 1) throw new Error('the kernel does not offer it')
  const allFiles = abi >= 5 ? 0xffffn : abi >= 3 ? 0x7fffn : abi === 2 ? 0x3fffn : 0x1fffn
  const attributes = new BigUint64Array([allFiles, abi >= 4 ? 3n : 0n, abi >= 6 ? 3n : 0n])
  const ruleset = Number(
    call(444, 'void *', attributes, 'size_t', abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 'unsigned int', 0),
  )
  if (ruleset < 0) throw new Error(`no ruleset (errno ${koffi.errno()})`)
  const [EXECUTE, WRITE, READ, LIST] = [1n, 2n, 4n, 8n]
  const grants: [string, bigint][] = [
    [process.execPath, EXECUTE | READ],
    ['/lib64/ld-linux-x86-64.so.2', EXECUTE | READ],
    ['/lib/ld-linux-aarch64.so.1', EXECUTE | READ],
    ...['/lib', '/lib64', '/usr/lib', `${root}/src`, `${root}/node_modules`].map((path): [string, bigint] => [
      path,
      READ | LIST,
    ]),
    ...[
      '/proc/self',
      '/dev/urandom',
      '/etc/ld.so.cache',
      '/sys/fs/cgroup',
      '/proc/meminfo',
      `${root}/package.json`,
    ].map((path): [string, bigint] => [path, READ | LIST]),
    ['/dev/null', READ | WRITE],
  ]
  for (const [path, rights] of grants) grant(ruleset, path, rights)
  if (Number(call(446, 'int', ruleset, 'unsigned int', 0)) !== 0)
    throw new Error(`it was refused (errno ${koffi.errno()})`)
  closeSync(ruleset)
}

function grant(ruleset: number, path: string, rights: bigint): void {
  if (!existsSync(path)) return
  const real = realpathSync(path)
  const directory = statSync(real).isDirectory()
  const fd = openSync(real, 'r')
  const rule = new DataView(new ArrayBuffer(12))
  // Rights on directories (8: list) are not valid on a file.
  rule.setBigUint64(0, directory ? rights : rights & ~8n, true)
  rule.setInt32(8, fd, true)
  const failed =
    Number(call(445, 'int', ruleset, 'int', 1, 'void *', new Uint8Array(rule.buffer), 'unsigned int', 0)) !==
    0
  closeSync(fd)
  if (failed) throw new Error(`no rule for ${path} (errno ${koffi.errno()})`)
}

function restrictCalls(): void {
  const filter = seccompFilter(process.arch, process.pid)
  if (filter === undefined) throw new Error(`no table for ${process.arch}`)
  const program = koffi.struct({ length: 'uint16', filter: 'void *' })
  const install = libc.func('prctl', 'int', ['int', 'unsigned long', koffi.pointer(program)])
  if (install(22, 2, { length: filter.length / 8, filter }) !== 0)
    throw new Error(`it was refused (errno ${koffi.errno()})`)
}
