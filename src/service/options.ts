import { z } from 'zod'

export const serviceOptions = z.strictObject({
  inputFormats: z
    .array(z.string())
    .default([])
    .meta({ env: 'SLUICE_INPUT_FORMATS', unit: 'format,…' })
    .describe('Accepted input formats; empty: all that are built in.'),
  presets: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), z.string())
    .default({})
    .meta({ env: 'SLUICE_PRESETS', unit: 'name=recipe|…' })
    .describe('Named recipes.'),
  maxUploadBytes: z
    .int()
    .min(1)
    .default(10 * 1024 * 1024)
    .meta({ env: 'SLUICE_MAX_UPLOAD_BYTES', unit: 'bytes' })
    .describe('Bytes of an upload.'),
  apiKeys: z
    .array(z.string().min(8))
    .default([])
    .meta({ env: 'SLUICE_API_KEYS', unit: 'key,…', secret: true })
    .describe('Keys for uploads: Authorization: Bearer.'),
})

export type ServiceOptions = z.infer<typeof serviceOptions>
