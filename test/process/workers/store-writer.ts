import { createDiskStore } from '../../../src/store/disk.ts'
import { silentTelemetry } from '../../../src/telemetry/telemetry.ts'
import { faultyFs } from '../../helpers/faulty-fs.ts'
import { entryOf, keyOf } from '../../helpers/store-entries.ts'

/*
 * Writes, replaces and removes entries, and is killed before its n-th call of the file system. Arguments: folder, n,
 * version of what it writes. Exits with 0 when n is more calls than it makes.
 */
const [folder = '', killAt = '', version = ''] = process.argv.slice(2)
let calls = 0
const store = createDiskStore({
  folder,
  maxBytes: 150_000,
  name: 'disk',
  telemetry: silentTelemetry,
  sync: true,
  fs: faultyFs((operation) => {
    // Reading the folders at start has no fixed place among the writes.
    if (operation === 'readdir') return
    calls += 1
    if (calls === Number(killAt)) process.kill(process.pid, 'SIGKILL')
  }),
})
for (let i = 0; i < 5; i += 1) {
  await store.put(keyOf(i), entryOf(i, { version: Number(version), length: 2000 + i * 20_000 }))
}
await store.delete(keyOf(0))
await store.purge('none')
process.exit(0)
