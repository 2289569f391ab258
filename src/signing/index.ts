export { type SigningOptions, signingOptions } from './options.ts'
export { macOf, type SignOptions, signTarget } from './sign.ts'
export { createVerifier, equalText, type SignedClaim } from './verify.ts'
