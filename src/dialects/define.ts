import type { Order } from '../recipe/index.ts'

/** What can be read off a raw target without decoding anything. */
export interface Claim {
  /** How it is signed: `native` (HMAC-SHA-256, base64url) or another language's way. */
  readonly scheme: string
  /** The exact characters that the signature covers, as received. */
  readonly signed: string
  /** As received; `undefined` when absent. */
  readonly signature: string | undefined
  /** Text of a signed policy as received; `undefined` when absent. Never together with `signature` or `expires`. */
  readonly policy: string | undefined
  /** Unix seconds. */
  readonly expires: number | undefined
  /** Raw path after the mount, still encoded. */
  readonly path: string
  /** Raw query without `?` and without signature or policy, still encoded. */
  readonly query: string
}

/** What a parsed URL asks for; `upload` means the body is the source. */
export type Action = 'render' | 'info' | 'explain' | 'upload'

/** A URL language: text to order and back. Pure: no network, disk, clock or configuration. */
export interface Dialect {
  readonly name: string
  /** Where it is mounted, such as `/i/`. */
  readonly mounts: readonly string[]
  readonly docs: string
  /**
   * Slices a raw request target (path and query as received).
   *
   * @throws {SluiceError} `url-invalid` for a target that is not canonical (checked on bytes, nothing decoded);
   *   `url-too-long`.
   */
  claim(target: string): Claim
  /** @throws {SluiceError} `parameter-*`, `url-invalid`, `source-forbidden`. */
  parse(claim: Claim): { readonly action: Action; readonly order: Order }
  format(action: Action, order: Order): string
}

export function defineDialect(dialect: Dialect): Dialect {
  return dialect
}
