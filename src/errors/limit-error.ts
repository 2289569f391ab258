import { SluiceError } from './sluice-error.ts'

/** A request asked for more than the operator allows. */
export class LimitError extends SluiceError {
  /** The header of a source promises more pixels than may be decoded. */
  static pixels(actual: number, max: number, setting: string): LimitError {
    const detail = `Cannot decode an image of ${actual} px: the limit is ${max} px ("${setting}")`
    return new LimitError('source-too-large', detail, { facts: { limit: 'pixels', actual, max, setting } })
  }

  /** Any other limit on a source: frames, scans, edges, metadata. */
  static source(what: string, actual: number, max: number, setting: string): LimitError {
    const detail = `Cannot decode an image with ${what} of ${actual}: the limit is ${max} ("${setting}")`
    return new LimitError('source-too-large', detail, { facts: { limit: what, actual, max, setting } })
  }

  /** A limit on what is asked for. */
  static result(what: string, actual: number, max: number): LimitError {
    const detail = `Cannot make an image with ${what} of ${actual}: the limit is ${max}`
    return new LimitError('result-too-large', detail, { facts: { limit: what, actual, max } })
  }
}
