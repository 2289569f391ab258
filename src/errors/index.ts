export { type CatalogEntry, catalog, type ErrorCode } from './catalog.ts'
export { LimitError } from './limit-error.ts'
export { type ErrorFacts, SluiceError, type SluiceErrorOptions } from './sluice-error.ts'
