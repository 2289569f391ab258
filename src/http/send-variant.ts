import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  type CacheOptions,
  cacheControl,
  canonicalLink,
  contentDisposition,
  contentRange,
  isFresh,
  parseRange,
  vary,
} from '../delivery/index.ts'
import type { Order } from '../recipe/index.ts'
import type { Variant } from '../service/index.ts'
import { releaseWhenSent } from './release-when-sent.ts'

const IMAGE_POLICY = "default-src 'none'; sandbox"

export interface DeliverOptions extends CacheOptions {
  readonly timingAllowOrigin: readonly string[]
  readonly fallbackStatus: number
  readonly fallbackMaxAgeSeconds: number
  /** Absolute URL of the service, for `Link: rel="canonical"`. */
  readonly publicUrl?: string | undefined
}

/** What a door knows of the URL that is answered. */
export interface Delivered {
  readonly order: Order
  /** Expiry of the signature or policy, Unix seconds. */
  readonly expiresAt: number | undefined
  /** Path without query. */
  readonly path: string
  /** Gets the headers of the whole picture, whatever part of it is sent. */
  readonly onHeaders: (headers: Readonly<Record<string, unknown>>) => void
}

/** Answers GET with a variant: whole, in part, or not at all when the client has it. */
export function deliverVariant(
  request: FastifyRequest,
  reply: FastifyReply,
  variant: Variant,
  { order, expiresAt, path, onHeaders, ...options }: Delivered & DeliverOptions,
): FastifyReply {
  const { meta, negotiated, hints } = variant
  const { etag } = meta
  const modified = meta.modifiedMs === undefined ? undefined : new Date(meta.modifiedMs)
  const { headers } = request
  const isAuto = negotiated !== undefined
  const varies = vary({ negotiated: isAuto, saveData: isAuto, hints })
  if (varies !== undefined) addVary(reply, varies)
  const asked = [
    ...(hints.dpr ? ['Sec-CH-DPR'] : []),
    ...(hints.width ? ['Sec-CH-Width', 'Sec-CH-Viewport-Width'] : []),
  ]
  if (asked.length > 0) reply.header('Accept-CH', asked.join(', '))
  if (hints.dpr) reply.header('Content-DPR', String(variant.dpr))
  if (options.timingAllowOrigin.length > 0)
    reply.header('Timing-Allow-Origin', options.timingAllowOrigin.join(', '))
  if (options.publicUrl !== undefined)
    reply.header('Link', canonicalLink(options.publicUrl.replace(/\/$/, '') + path))
  if (variant.fallback) {
    reply
      .code(options.fallbackStatus)
      .header('Cache-Control', `public, max-age=${options.fallbackMaxAgeSeconds}`)
    return sendVariant(request, reply, variant, order.delivery.filename)
  }
  const cached = variant.storable
    ? cacheControl(
        {
          versioned: order.delivery.version !== undefined,
          origin: { maxAgeSeconds: meta.originMaxAgeSeconds },
          expiresAt,
          now: Math.floor(Date.now() / 1000),
        },
        options,
      )
    : 'no-store'
  reply.header('Cache-Control', cached).header('ETag', etag).header('Accept-Ranges', 'bytes')
  if (modified !== undefined) reply.header('Last-Modified', modified.toUTCString())
  setPictureHeaders(request, reply, variant, order.delivery.filename)
  onHeaders(reply.getHeaders())
  const conditions = { ifNoneMatch: headers['if-none-match'], ifModifiedSince: headers['if-modified-since'] }
  if (isFresh(conditions, { etag, modified })) {
    variant.release()
    return withoutPicture(reply).code(304).send()
  }
  const length = variant.bytes.length
  const range = parseRange(headers.range, {
    ifRange: headers['if-range'] as string | undefined,
    etag,
    modified,
    length,
  })
  if (range.kind === 'whole') return sendBytes(reply, variant)
  reply.header('Content-Range', contentRange(range, length))
  if (range.kind === 'unsatisfiable') {
    variant.release()
    return withoutPicture(reply).code(416).header('Cache-Control', 'no-store').send()
  }
  reply.code(206).header('Content-Length', String(range.to + 1 - range.from))
  return sendBytes(reply, variant, variant.bytes.subarray(range.from, range.to + 1))
}

/** The whole picture with the headers that every one has. */
export function sendVariant(
  request: FastifyRequest,
  reply: FastifyReply,
  variant: Variant,
  filename: string | undefined,
): FastifyReply {
  setPictureHeaders(request, reply, variant, filename)
  return sendBytes(reply, variant)
}

function sendBytes(reply: FastifyReply, variant: Variant, bytes: Uint8Array = variant.bytes): FastifyReply {
  releaseWhenSent(reply, variant)
  return reply.send(bytes)
}

/** Headers that every picture has. */
function setPictureHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  variant: Variant,
  filename: string | undefined,
): void {
  const { format } = variant.meta
  const { queueMs = 0, probeMs = 0, fetchMs = 0 } = request.outcome.facts
  const timing =
    variant.tier === undefined
      ? `fetch;dur=${fetchMs.toFixed(1)}, probe;dur=${probeMs.toFixed(1)}, queue;dur=${queueMs.toFixed(1)}, work;dur=${variant.workMs.toFixed(1)}`
      : `store;desc="${variant.tier}"`
  reply
    .type(`image/${format}`)
    .header('Content-Length', String(variant.bytes.length))
    .header('Content-Disposition', contentDisposition({ format, filename }))
    .header('Content-Security-Policy', IMAGE_POLICY)
    .header('X-Content-Type-Options', 'nosniff')
    .header('Cross-Origin-Resource-Policy', 'cross-origin')
    .header('Server-Timing', timing)
}

/** Headers of a representation that is not sent. */
function withoutPicture(reply: FastifyReply): FastifyReply {
  for (const name of ['Content-Type', 'Content-Length', 'Content-Disposition']) reply.removeHeader(name)
  return reply
}

function addVary(reply: FastifyReply, names: string): void {
  const before = reply.getHeader('Vary')
  reply.header('Vary', before === undefined ? names : `${String(before)}, ${names}`)
}
