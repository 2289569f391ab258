import { holdsHeader } from './holds-header.ts'
import { probeImage } from './probe-image.ts'
import { serve } from './serve.ts'

// Entry of the probe process: reads headers, never decodes.
await serve(async (request, [bytes]) => {
  if (request.kind !== 'probe' || bytes === undefined)
    throw new Error(`The probe process cannot ${request.kind}`)
  if (bytes.length < request.bytes && !holdsHeader(bytes, request.format))
    return { answer: { kind: 'more', id: request.id, payloads: [] } }
  const probe = await probeImage(bytes, request.format, {
    gps: request.gps,
    total: request.bytes,
  })
  return { answer: { kind: 'probe', id: request.id, probe, payloads: [] } }
})
