import { z } from 'zod'

const seconds = z.int().min(0).max(31_536_000)

export const deliveryOptions = z.strictObject({
  autoFormats: z
    .array(z.enum(['avif', 'webp']))
    .default(['avif', 'webp'])
    .meta({ env: 'SLUICE_AUTO_FORMATS', unit: 'format,…' })
    .describe('What format=auto may choose beside JPEG, PNG and GIF.'),
  sharedMaxAgeSeconds: seconds
    .optional()
    .meta({ env: 'SLUICE_SHARED_MAX_AGE', unit: 'seconds' })
    .describe('Cache-Control s-maxage of made pictures, for shared caches.'),
  staleWhileRevalidateSeconds: seconds
    .default(86_400)
    .meta({ env: 'SLUICE_STALE_WHILE_REVALIDATE', unit: 'seconds' })
    .describe('Time that caches may serve a stale picture while they ask again.'),
  staleIfErrorSeconds: seconds
    .default(86_400)
    .meta({ env: 'SLUICE_STALE_IF_ERROR', unit: 'seconds' })
    .describe('Time that caches may serve a stale picture when this service fails.'),
  versionedMaxAgeSeconds: seconds
    .default(31_536_000)
    .meta({ env: 'SLUICE_VERSIONED_MAX_AGE', unit: 'seconds' })
    .describe('Cache-Control of pictures whose URL holds a version (v=).'),
  originCacheControl: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_ORIGIN_CACHE_CONTROL' })
    .describe('Pass on how long the origin lets its image be kept.'),
  timingAllowOrigin: z
    .array(z.string().min(1))
    .default([])
    .meta({ env: 'SLUICE_TIMING_ALLOW_ORIGIN', unit: 'origin,…' })
    .describe('Origins that may read timings (Timing-Allow-Origin); * is any.'),
})

export type DeliveryOptions = z.infer<typeof deliveryOptions>
