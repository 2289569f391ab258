import type { Dialect } from './define.ts'
import { native } from './native/native.ts'

export { type Action, type Claim, type Dialect, defineDialect } from './define.ts'
export { formatRecipe, NATIVE_KEYS, native, parseRecipe } from './native/native.ts'
export { encodeValue } from './native/percent.ts'

/** Every URL language that is built. */
export const dialects: readonly Dialect[] = [native]
