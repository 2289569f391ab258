import { SluiceError } from '../../errors/index.ts'

/** A URL that is not in canonical form: it is refused, never repaired. */
export function malformed(why: string): SluiceError {
  return new SluiceError('url-invalid', `Cannot read this URL: ${why}`)
}
