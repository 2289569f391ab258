import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { chainOptions } from './chain-options.ts'
import { httpSourceOptions } from './http-options.ts'
import { RESERVED_NAMES, SOURCE_NAME } from './names.ts'

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
        .regex(SOURCE_NAME, { error: 'a root name has lower case letters, digits and "-"' })
        .refine((name) => !RESERVED_NAMES.includes(name), {
          error: `a root may not be called ${RESERVED_NAMES.join(', ')}`,
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
  ...chainOptions.shape,
  ...httpSourceOptions.shape,
})

export type SourcesOptions = z.infer<typeof sourcesOptions>
