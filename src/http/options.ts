import { z } from 'zod'

const port = z.int().min(0).max(65_535)

export const httpOptions = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({ env: 'SLUICE_HOST', unit: 'address' })
    .describe('Address of the public listener.'),
  port: port
    .default(8080)
    .meta({ env: 'SLUICE_PORT', unit: 'port' })
    .describe('Port of the public listener; PORT is read too.'),
  adminHost: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({ env: 'SLUICE_ADMIN_HOST', unit: 'address' })
    .describe('Address of the admin listener, or off.'),
  adminPort: z
    .union([port, z.literal('off')])
    .default(8081)
    .meta({ env: 'SLUICE_ADMIN_PORT', unit: 'port' })
    .describe('Port of the admin listener, or off.'),
  adminToken: z
    .string()
    .min(8)
    .optional()
    .meta({ env: 'SLUICE_ADMIN_TOKEN', secret: true })
    .describe('Token that purging needs; without one nothing can be purged.'),
  corsOrigins: z
    .array(z.string().min(1))
    .default([])
    .meta({ env: 'SLUICE_CORS_ORIGINS', unit: 'origin,…' })
    .describe('Origins whose pages may upload and read pictures; * is any.'),
  maxAgeSeconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(86_400)
    .meta({ env: 'SLUICE_MAX_AGE', unit: 'seconds' })
    .describe('Cache-Control of made pictures.'),
  shutdownGraceMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(2000)
    .meta({ env: 'SLUICE_SHUTDOWN_GRACE_MS', unit: 'ms' })
    .describe('After SIGTERM new requests are still served this long.'),
  shutdownTimeoutMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(20_000)
    .meta({ env: 'SLUICE_SHUTDOWN_TIMEOUT_MS', unit: 'ms' })
    .describe('Time for requests in flight to finish.'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .meta({ env: 'SLUICE_LOG_LEVEL' })
    .describe('Least severe log line.'),
})

export type HttpOptions = z.infer<typeof httpOptions>
