import { z } from 'zod'

const hexKey = z
  .string()
  .regex(/^(?:[0-9a-fA-F]{2}){16,64}$/, { error: 'expected 16 to 64 bytes in hexadecimal' })

export const signingOptions = z.strictObject({
  keys: z
    .array(hexKey)
    .default([])
    .meta({ env: 'SLUICE_KEYS', unit: 'hex', secret: true })
    .describe('Signing keys, comma-separated: the first signs, all verify.'),
  allowUnsigned: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_ALLOW_UNSIGNED' })
    .describe('Serve unsigned URLs, on any listener.'),
  requireExpiry: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_REQUIRE_EXPIRY' })
    .describe('Refuse signatures and policies that never expire.'),
  sourceKey: hexKey
    .optional()
    .meta({ env: 'SLUICE_SOURCE_KEY', unit: 'hex', secret: true })
    .describe('Key of encrypted sources (e:…).'),
})

export type SigningOptions = z.infer<typeof signingOptions>
