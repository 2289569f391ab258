import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const RESERVED = ['http', 'https', 's3', 'gs', 'az', 'b64', 'e', 'data', 'file', 'default']

export const sourcesOptions = z.strictObject({
  root: z
    .string()
    .min(1)
    .default(() => fileURLToPath(new URL('../../samples', import.meta.url)))
    .meta({ env: 'SLUICE_ROOT', unit: 'folder' })
    .describe('Folder behind plain source paths; the sample pictures by default.'),
  roots: z
    .record(
      z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,31}$/, { error: 'a root name has lower case letters, digits and "-"' })
        .refine((name) => !RESERVED.includes(name), {
          error: `a root may not be called ${RESERVED.join(', ')}`,
        }),
      z.string().min(1),
    )
    .default({})
    .meta({ env: 'SLUICE_ROOTS', unit: 'name=folder,…' })
    .describe('Further folders, asked for as name:path.'),
  maxSourceBytes: z
    .int()
    .min(1)
    .default(25 * 1024 * 1024)
    .meta({ env: 'SLUICE_MAX_SOURCE_BYTES', unit: 'bytes' })
    .describe('Bytes of a source.'),
})

export type SourcesOptions = z.infer<typeof sourcesOptions>
