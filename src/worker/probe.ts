import { probeImage } from './probe-image.ts'
import { serve } from './serve.ts'

// Entry of the probe process: reads headers, never decodes.
await serve(async (request, [bytes]) => {
  if (request.kind !== 'probe' || bytes === undefined)
    throw new Error(`The probe process cannot ${request.kind}`)
  const probe = await probeImage(bytes, request.format, { gps: request.gps })
  return { answer: { kind: 'probe', id: request.id, probe, payloads: [] } }
})
