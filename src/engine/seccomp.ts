/** System calls that a decoder never needs, by number; the filter answers EPERM. */
const DENIED: Readonly<Record<'x64' | 'arm64', readonly number[]>> = {
  // socket connect accept sendto recvfrom bind listen socketpair fork vfork kill ptrace tkill mount umount2 reboot
  // add_key request_key keyctl unshare perf_event_open open_by_handle_at setns process_vm_readv process_vm_writev
  // execveat bpf userfaultfd pidfd_send_signal io_uring_setup io_uring_enter io_uring_register pidfd_open pidfd_getfd
  x64: [41, 42, 43, 44, 45, 49, 50, 53, 57, 58, 62, 101, 165, 166, 169, 200, 248, 249, 250, 272, 298, 304, 308, 310, 311, 321, 322, 323, 424, 425, 426, 427, 434, 438], // biome-ignore format: numbers
  arm64: [198, 203, 202, 206, 207, 200, 201, 199, 129, 117, 40, 39, 142, 130, 217, 218, 219, 97, 241, 265, 268, 270, 271, 280, 281, 282, 424, 425, 426, 427, 434, 438], // biome-ignore format: numbers
}
const NUMBERS = {
  x64: { audit: 0xc000003e, clone: 56, tgkill: 234 },
  arm64: { audit: 0xc00000b7, clone: 220, tgkill: 131 },
} as const
const CLONE3 = 435
const CLONE_THREAD = 0x10000

const ALLOW = 0x7fff0000
const EPERM = 0x00050001
const ENOSYS = 0x00050026
const KILL = 0x80000000

/**
 * A seccomp filter as BPF bytes: threads of the process itself go on working; sockets, new processes, signals
 * to others, tracing and the kernel's wider interfaces are refused.
 *
 * @param pid Of the process that installs it; `tgkill` is allowed to it alone (abort needs it).
 * @returns `undefined` on a machine whose numbers are not known here.
 * @see https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
 */
export function seccompFilter(arch: string, pid: number): Uint8Array | undefined {
  if (arch !== 'x64' && arch !== 'arm64') return undefined
  const { audit, clone, tgkill } = NUMBERS[arch]
  const program: (readonly [code: number, jt: number, jf: number, k: number])[] = [
    [0x20, 0, 0, 4], // load arch
    [0x15, 1, 0, audit],
    [0x06, 0, 0, KILL],
    [0x20, 0, 0, 0], // load number
    // Above this bit are the numbers of the x32 calling convention, which would pass the list below.
    [0x35, 0, 1, 0x40000000],
    [0x06, 0, 0, EPERM],
    [0x15, 0, 1, CLONE3],
    [0x06, 0, 0, ENOSYS],
    [0x15, 0, 4, clone],
    [0x20, 0, 0, 16], // load flags
    [0x45, 0, 1, CLONE_THREAD],
    [0x06, 0, 0, ALLOW],
    [0x06, 0, 0, EPERM],
    [0x15, 0, 4, tgkill],
    [0x20, 0, 0, 16], // load thread group
    [0x15, 0, 1, pid],
    [0x06, 0, 0, ALLOW],
    [0x06, 0, 0, EPERM],
    ...DENIED[arch].flatMap((number) => [[0x15, 0, 1, number] as const, [0x06, 0, 0, EPERM] as const]),
    [0x06, 0, 0, ALLOW],
  ]
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, [code, jt, jf, k]] of program.entries()) {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, jt)
    view.setUint8(index * 8 + 3, jf)
    view.setUint32(index * 8 + 4, k, true)
  }
  return bytes
}
