export { type CacheFacts, type CacheOptions, cacheControl } from './cache-headers.ts'
export { applyHints, type ClientHints, readHints } from './client-hints.ts'
export { contentDisposition, type DispositionFacts } from './content-disposition.ts'
export { type Conditions, etagOf, isFresh, matches, type Validators } from './etag.ts'
export { parseHttpDate } from './http-date.ts'
export { canonicalLink } from './link.ts'
export {
  formatFor,
  NEGOTIATION_CLASSES,
  type NegotiationClass,
  type NegotiationHeaders,
  negotiate,
  qualityFor,
} from './negotiate.ts'
export { type DeliveryOptions, deliveryOptions } from './options.ts'
export { type ByteRange, contentRange, parseRange, type RangeContext } from './range.ts'
export { type VaryFacts, vary } from './vary.ts'
