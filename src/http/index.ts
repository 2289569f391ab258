export { type HttpOptions, httpOptions } from './options.ts'
export { toSluiceError } from './problem.ts'
export { createAdminServer, createServer, type ServerDependencies } from './server.ts'
