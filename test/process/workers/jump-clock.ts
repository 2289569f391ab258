/*
 * Loaded into `sluice serve` by --import: SIGUSR2 sets the wall clock an hour ahead, the next one an hour back,
 * as far as JavaScript can see it.
 */

const HOUR_MS = 3_600_000
const RealDate = Date
let offset = 0

globalThis.Date = class extends RealDate {
  constructor(...args: []) {
    if (args.length === 0) super(RealDate.now() + offset)
    else super(...args)
  }
  static override now(): number {
    return RealDate.now() + offset
  }
} as DateConstructor

process.on('SIGUSR2', () => {
  offset = offset > 0 ? -HOUR_MS : HOUR_MS
})
