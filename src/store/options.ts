import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const off = z.literal('off')

/** Where this system keeps what can be made again. */
export function defaultCacheDir(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
): string {
  const home = homedir()
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'sluice')
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'sluice', 'cache')
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'sluice')
}

export const storeOptions = z.strictObject({
  cacheDir: z
    .string()
    .min(1)
    .default(() => defaultCacheDir())
    .meta({ env: 'SLUICE_CACHE_DIR' })
    .describe('Folder of everything that is kept on disk; "off" keeps nothing there.'),
  cacheMemory: z
    .union([z.int().min(0), off])
    .default(64_000_000)
    .meta({ env: 'SLUICE_CACHE_MEMORY', unit: 'bytes' })
    .describe('Results kept in memory.'),
  cacheDisk: z
    .union([z.int().min(0), off])
    .default(1_000_000_000)
    .meta({ env: 'SLUICE_CACHE_DISK', unit: 'bytes' })
    .describe('Results kept on disk.'),
  sourceCacheDisk: z
    .union([z.int().min(0), off])
    .default(1_000_000_000)
    .meta({ env: 'SLUICE_SOURCE_CACHE_DISK', unit: 'bytes' })
    .describe('Remote sources kept on disk.'),
  cacheS3: z
    .string()
    .regex(/^s3:\/\/[^/]+(?:\/.*)?$/, 'expected s3://bucket/prefix')
    .optional()
    .meta({ env: 'SLUICE_CACHE_S3' })
    .describe('Bucket that keeps results for several services, such as s3://bucket/prefix.'),
})

export type StoreOptions = z.infer<typeof storeOptions>

/** Bucket and prefix of `s3://bucket/prefix`. */
export function parseS3Address(address: string): { readonly bucket: string; readonly prefix: string } {
  const [bucket = '', ...path] = address.replace('s3://', '').split('/')
  return { bucket, prefix: path.join('/').replace(/\/+$/, '') }
}
