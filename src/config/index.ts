export { type Config, type Loaded, loadConfig, type Origin, type Setting, settings } from './config.ts'
export { parseBytes, parseDuration } from './units.ts'
