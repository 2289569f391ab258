import { z } from 'zod'
import { isBase } from './join-ref.ts'
import { RESERVED_NAMES, SOURCE_NAME } from './names.ts'

/** Settings that say where references lead. */
export const chainOptions = z.strictObject({
  sources: z
    .record(
      z
        .string()
        .regex(SOURCE_NAME, { error: 'a source name has lower case letters, digits and "-"' })
        .refine((name) => !RESERVED_NAMES.includes(name), {
          error: `a source may not be called ${RESERVED_NAMES.join(', ')}`,
        }),
      z.string().min(1),
    )
    .default({})
    .meta({ env: 'SLUICE_SOURCES', unit: 'name=place|place…,…' })
    .describe(
      'Named sources of several places, asked in order: products=s3://new/|s3://old/|https://example.com/img/.',
    ),
  urlRewrites: z
    .record(z.string().min(1), z.string().min(1))
    .default({})
    .meta({ env: 'SLUICE_URL_REWRITES', unit: 'from=to,…' })
    .describe('Places to read instead of others, with * for any text; the first that fits, once.'),
  baseUrl: z
    .string()
    .refine((text) => isBase(text) || isBase(`${text}/`), {
      error: 'expected a place such as https://origin.example.com/img/, s3://bucket/ or name:',
    })
    .optional()
    .meta({ env: 'SLUICE_BASE_URL', unit: 'URL' })
    .describe('Where plain source paths lie, instead of the default root.'),
})

export type ChainOptions = z.infer<typeof chainOptions>
