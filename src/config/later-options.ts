import { z } from 'zod'

const text = z.string().min(1)

/** Settings of the contract whose parts are not built yet: accepted and shown, so that configurations stay valid. */
export const laterOptions = z.strictObject({
  trustProxy: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_TRUST_PROXY', later: true })
    .describe('Believe forwarded headers.'),
  maxStoredUploadBytes: z
    .int()
    .min(1)
    .default(100 * 1024 * 1024)
    .meta({ env: 'SLUICE_MAX_STORED_UPLOAD_BYTES', unit: 'bytes', later: true })
    .describe('Bytes of presigned and resumable uploads.'),
  dataDir: text
    .optional()
    .meta({ env: 'SLUICE_DATA_DIR', later: true })
    .describe('Folder of uploads and jobs.'),
  redisUrl: text
    .optional()
    .meta({ env: 'SLUICE_REDIS_URL', secret: true, later: true })
    .describe('Redis of several nodes.'),
  delegates: z
    .array(text)
    .default([])
    .meta({ env: 'SLUICE_DELEGATES', unit: 'name,…', later: true })
    .describe('External tools allowed by name.'),
})

/** Settings that belong to no folder but to the whole. */
export const commonOptions = z.strictObject({
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ env: 'SLUICE_PUBLIC_URL', unit: 'URL' })
    .describe('Absolute URL of this service in answers.'),
  dialects: z
    .array(z.enum(['native']))
    .default(['native'])
    .meta({ env: 'SLUICE_DIALECTS', unit: 'name,…' })
    .describe('URL languages that are served.'),
  rootDialect: z
    .enum(['native'])
    .default('native')
    .meta({ env: 'SLUICE_ROOT_DIALECT' })
    .describe('URL language at the root.'),
})
