import { z } from 'zod'
import { checkOriginHeader } from './origin-headers.ts'

const ms = (max: number) => z.int().min(1).max(max)

/** Settings of sources behind `http(s)://`. */
export const httpSourceOptions = z.strictObject({
  httpSources: z
    .string()
    .min(1)
    .default('auto')
    .meta({ env: 'SLUICE_HTTP_SOURCES', unit: 'host,…' })
    .describe(
      'Hosts that sources may be fetched from: true (any public host), off, or a list such as *.example.com,minio.internal:9000; auto is true on a loopback listener, else off.',
    ),
  originDnsTimeoutMs: ms(60_000)
    .default(2000)
    .meta({ env: 'SLUICE_ORIGIN_DNS_TIMEOUT_MS', unit: 'ms' })
    .describe('Longest wait for the addresses of an origin.'),
  originConnectTimeoutMs: ms(60_000)
    .default(2000)
    .meta({ env: 'SLUICE_ORIGIN_CONNECT_TIMEOUT_MS', unit: 'ms' })
    .describe('Longest wait for a connection; a TLS handshake has half as much again.'),
  originFirstByteTimeoutMs: ms(600_000)
    .default(5000)
    .meta({ env: 'SLUICE_ORIGIN_FIRST_BYTE_TIMEOUT_MS', unit: 'ms' })
    .describe('Longest wait for the headers of an answer.'),
  originIdleTimeoutMs: ms(600_000)
    .default(3000)
    .meta({ env: 'SLUICE_ORIGIN_IDLE_TIMEOUT_MS', unit: 'ms' })
    .describe('Longest pause within a body.'),
  originTimeoutMs: ms(600_000)
    .default(10_000)
    .meta({ env: 'SLUICE_ORIGIN_TIMEOUT_MS', unit: 'ms' })
    .describe('The whole fetch, redirects included.'),
  originMinRate: z
    .int()
    .min(0)
    .default(10_000)
    .meta({ env: 'SLUICE_ORIGIN_MIN_RATE', unit: 'bytes/s' })
    .describe('Slowest body, measured after 3 s; 0 is none.'),
  originMaxRedirects: z
    .int()
    .min(0)
    .max(20)
    .default(3)
    .meta({ env: 'SLUICE_ORIGIN_MAX_REDIRECTS', unit: 'redirects' })
    .describe('Redirects that are followed.'),
  originConnections: z
    .int()
    .min(1)
    .max(1000)
    .default(8)
    .meta({ env: 'SLUICE_ORIGIN_CONNECTIONS', unit: 'connections' })
    .describe('Connections to one host.'),
  originRate: z
    .int()
    .min(1)
    .max(100_000)
    .default(20)
    .meta({ env: 'SLUICE_ORIGIN_RATE', unit: 'fetches/s' })
    .describe('Fetches from one host.'),
  originBreakerFailures: z
    .int()
    .min(1)
    .max(10_000)
    .default(5)
    .meta({ env: 'SLUICE_ORIGIN_BREAKER_FAILURES', unit: 'failures' })
    .describe('Failures in a row after which a host is left alone.'),
  originBreakerMs: ms(3_600_000)
    .default(10_000)
    .meta({ env: 'SLUICE_ORIGIN_BREAKER_MS', unit: 'ms' })
    .describe('How long a failing host is left alone.'),
  originUserAgent: z
    .string()
    .regex(/^[\x20-\x7e]{1,200}$/, { error: 'expected up to 200 printable ASCII characters' })
    .default('Sluice')
    .meta({ env: 'SLUICE_ORIGIN_USER_AGENT' })
    .describe('User-Agent of fetches.'),
  originHeaders: z
    .array(
      z.string().superRefine((entry, context) => {
        const message = checkOriginHeader(entry)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      }),
    )
    .default([])
    .meta({ env: 'SLUICE_ORIGIN_HEADERS', unit: 'host|Name: value,…', secret: true })
    .describe(
      'Headers for single hosts, such as a token; never sent on to another origin. A value with a comma goes into the config file.',
    ),
  originAllowDowngrade: z
    .boolean()
    .default(false)
    .meta({ env: 'SLUICE_ORIGIN_ALLOW_DOWNGRADE' })
    .describe('Follow redirects from https to http.'),
})

export type HttpSourceOptions = z.infer<typeof httpSourceOptions>
