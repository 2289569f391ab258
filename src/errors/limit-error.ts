import { SluiceError } from './sluice-error.ts'

/** Limits by the name that problem documents and metrics give them, and how a message says it. */
const LIMITS = {
  bytes: 'bytes',
  pixels: 'pixels',
  edge: 'an edge',
  frames: 'frames',
  'frame-pixels': 'pixels in all frames',
  scans: 'scans',
  channels: 'channels',
  memory: 'memory',
} as const

export type LimitName = keyof typeof LIMITS
export const LIMIT_NAMES = Object.keys(LIMITS) as readonly LimitName[]

/** A request asked for more than the operator allows. */
export class LimitError extends SluiceError {
  /** The header of a source promises more pixels than may be decoded. */
  static pixels(actual: number, max: number, setting: string): LimitError {
    const detail = `Cannot decode an image of ${actual} px: the limit is ${max} px ("${setting}")`
    return new LimitError('source-too-large', detail, { facts: { limit: 'pixels', actual, max, setting } })
  }

  /** Any other limit on a source: frames, scans, edges, metadata. */
  static source(limit: LimitName, actual: number, max: number, setting: string): LimitError {
    const detail = `Cannot decode an image with ${LIMITS[limit]} of ${actual}: the limit is ${max} ("${setting}")`
    return new LimitError('source-too-large', detail, { facts: { limit, actual, max, setting } })
  }

  /** A limit on what is asked for. */
  static result(limit: LimitName, actual: number, max: number): LimitError {
    const detail = `Cannot make an image with ${LIMITS[limit]} of ${actual}: the limit is ${max}`
    return new LimitError('result-too-large', detail, { facts: { limit, actual, max } })
  }
}
