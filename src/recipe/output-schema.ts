import { z } from 'zod'
import { canonicalColour, isColour } from '../operations/index.ts'
import { METADATA_POLICIES, OUTPUT_FORMATS } from './recipe.ts'

/** Everything that can be said of the encoded result; all optional, defaults follow the format. */
export const outputSchema = z.strictObject({
  format: z
    .enum([...OUTPUT_FORMATS, 'auto'])
    .optional()
    .describe('Encoding of the result; absent: the source’s own, else jpeg, or png with alpha.'),
  quality: z.int().min(1).max(100).optional().describe('Quality of lossy formats.'),
  effort: z
    .int()
    .min(0)
    .max(9)
    .optional()
    .describe('CPU spent on fewer bytes, mapped to the range of each format.'),
  progressive: z.boolean().optional().describe('JPEG and PNG: progressive or interlaced.'),
  subsampling: z.enum(['4:2:0', '4:4:4']).optional().describe('Chroma subsampling of JPEG and AVIF.'),
  lossless: z.boolean().optional().describe('WebP and AVIF: lossless.'),
  nearLossless: z.boolean().optional().describe('WebP: near-lossless, quality is its strength.'),
  palette: z.boolean().optional().describe('PNG: reduce to a palette.'),
  depth: z
    .union([z.literal(8), z.literal(16)])
    .optional()
    .describe('PNG and TIFF: bits per channel.'),
  metadata: z
    .enum(METADATA_POLICIES)
    .optional()
    .describe('What is kept: nothing, the ICC profile, copyright, all.'),
  background: z
    .string()
    .refine(isColour, { error: 'expected "rrggbb" or a CSS name' })
    .transform(canonicalColour)
    .optional()
    .describe('What shows through when the format has no alpha.'),
  profile: z
    .enum(['fast', 'quality'])
    .optional()
    .describe('Resampling: on encoded values, or in linear light.'),
})
