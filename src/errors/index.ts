export { type CatalogEntry, catalog, type ErrorCode } from './catalog.ts'
export { LIMIT_NAMES, LimitError, type LimitName } from './limit-error.ts'
export { type ErrorFacts, SluiceError, type SluiceErrorOptions } from './sluice-error.ts'
