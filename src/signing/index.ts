export { checkPolicyOrder, checkPolicyPlan } from './check-policy.ts'
export { type SigningOptions, signingOptions } from './options.ts'
export {
  createPolicyVerifier,
  type PolicyVerifierOptions,
  policySchema,
  type SignedPolicy,
  signPolicy,
} from './policy.ts'
export { macOf, type SignOptions, signTarget } from './sign.ts'
export { createSourceCipher, isEncryptedSource, type SourceCipher } from './source-cipher.ts'
export { createVerifier, equalText, type SignedClaim, type VerifierOptions } from './verify.ts'
