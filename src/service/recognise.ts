import type { Body } from '../engine/index.ts'
import { SluiceError } from '../errors/index.ts'
import { formatToken, INPUT_FORMATS, type InputFormat, sniff } from '../recipe/index.ts'
import type { Telemetry } from '../telemetry/index.ts'

/**
 * The format of a body by its first bytes.
 *
 * @throws {SluiceError} `format-unsupported` naming it; `not-an-image`.
 */
export function recognise(body: Body, formats: ReadonlySet<InputFormat>): InputFormat {
  const head = (body.chunks[0] ?? new Uint8Array(0)).subarray(0, 4096)
  const found = sniff(head)
  if (found === undefined)
    throw new SluiceError('not-an-image', 'Cannot decode this: its content is no image that is known here')
  if ('format' in found && formats.has(found.format)) return found.format
  const name = 'format' in found ? found.format : found.unsupported
  throw new SluiceError(
    'format-unsupported',
    `Cannot decode "${name}": accepted are ${[...formats].join(', ')}`,
    { facts: { format: name } },
  )
}

/** @throws {SluiceError} `config-invalid` for a word that is no format. */
export function acceptedFormats(tokens: readonly string[], telemetry: Telemetry): ReadonlySet<InputFormat> {
  if (tokens.length === 0) return new Set(INPUT_FORMATS)
  const accepted = new Set<InputFormat>()
  for (const token of tokens) {
    const name = formatToken(token)
    if (name === undefined)
      throw new SluiceError('config-invalid', `SLUICE_INPUT_FORMATS: "${token}" is no format`)
    if ((INPUT_FORMATS as readonly string[]).includes(name)) accepted.add(name as InputFormat)
    else telemetry.log('warn', 'this build cannot read a format of SLUICE_INPUT_FORMATS', { format: name })
  }
  return accepted
}
