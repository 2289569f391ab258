/*
 * Runs a command on a kernel as it would be without Landlock: a filter answers its system calls with ENOSYS.
 *
 *   node without-landlock.ts <program> <argument>…
 */

import koffi from 'koffi'

const LANDLOCK_CREATE_RULESET = 444
const ENOSYS = 0x00050026
const ALLOW = 0x7fff0000
const [program = '', ...args] = process.argv.slice(2)
const libc = koffi.load('libc.so.6')
const instructions = [
  [0x20, 0, 0, 0], // load number
  [0x15, 0, 1, LANDLOCK_CREATE_RULESET],
  [0x06, 0, 0, ENOSYS],
  [0x06, 0, 0, ALLOW],
] as const
const filter = Buffer.alloc(instructions.length * 8)
for (const [index, [code, jt, jf, k]] of instructions.entries()) {
  filter.writeUInt16LE(code, index * 8)
  filter.writeUInt8(jt, index * 8 + 2)
  filter.writeUInt8(jf, index * 8 + 3)
  filter.writeUInt32LE(k, index * 8 + 4)
}
const plain = libc.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
)
const structure = koffi.struct({ length: 'uint16', filter: 'void *' })
const install = libc.func('prctl', 'int', ['int', 'unsigned long', koffi.pointer(structure)])
const fcntl = libc.func('int fcntl(int fd, int command, int value)')
const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)')
if (plain(38, 1, 0, 0, 0) !== 0 || install(22, 2, { length: instructions.length, filter }) !== 0)
  throw new Error(`Cannot install the filter (errno ${koffi.errno()})`)
const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)
// Node marks what it inherits close-on-exec; the standard streams go along.
for (const fd of [0, 1, 2]) fcntl(fd, 2, 0)
execve(program, [program, ...args, null], [...environment, null])
throw new Error(`Cannot run "${program}" (errno ${koffi.errno()})`)
