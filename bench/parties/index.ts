import type { StartParty } from '../party.ts'
import { startBareSharp } from './bare-sharp.ts'
import { startGo } from './go.ts'
import { startIpx } from './ipx.ts'
import { startNginx } from './nginx.ts'
import { startSluice } from './sluice.ts'
import { startVipsthumbnail } from './vipsthumbnail.ts'

/** One line per party; Sluice first. */
export const PARTIES: readonly (readonly [string, StartParty])[] = [
  ['Sluice', startSluice],
  ['bare sharp', startBareSharp],
  ['vipsthumbnail', startVipsthumbnail],
  ['nginx image_filter', startNginx],
  ['IPX', startIpx],
  ['Go standard library', startGo],
]
