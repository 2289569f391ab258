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
  presetsOnly: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_PRESETS_ONLY' })
    .describe('Take recipes only by the names of presets.'),
  allowedOperations: z
    .array(z.string())
    .default([])
    .meta({ env: 'SLUICE_ALLOWED_OPERATIONS', unit: 'name,…' })
    .describe('Operations that URLs may name; empty: all. Presets may use any.'),
  sourceMaxAgeSeconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(3600)
    .meta({ env: 'SLUICE_SOURCE_MAX_AGE', unit: 'seconds' })
    .describe('How long a remote source is used unasked when its origin says nothing of it.'),
  sourceStaleSeconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(60)
    .meta({ env: 'SLUICE_SOURCE_STALE', unit: 'seconds' })
    .describe('Beyond that it is served once more while its origin is asked again.'),
  sourceStaleIfErrorSeconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(86_400)
    .meta({ env: 'SLUICE_SOURCE_STALE_IF_ERROR', unit: 'seconds' })
    .describe('Beyond that it is served when its origin fails.'),
  fallbackImage: z
    .string()
    .min(1)
    .optional()
    .meta({ env: 'SLUICE_FALLBACK_IMAGE', unit: 'source' })
    .describe('Source that stands in for one that is missing or whose origin fails.'),
  fallbackStatus: z
    .int()
    .min(200)
    .max(599)
    .default(200)
    .meta({ env: 'SLUICE_FALLBACK_STATUS', unit: 'status' })
    .describe('Status of such an answer.'),
  fallbackMaxAgeSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .meta({ env: 'SLUICE_FALLBACK_MAX_AGE', unit: 'seconds' })
    .describe('Cache-Control of such an answer.'),
})

export type ServiceOptions = z.infer<typeof serviceOptions>
