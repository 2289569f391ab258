import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import type { Entry, Meta } from './define.ts'

/*
 * How an entry looks outside of memory. Whatever reads it takes it for untrusted input.
 *
 *   0  8  magic, the last byte is the version
 *   8  4  length of the head, bytes, little endian
 *  12  8  length of the body
 *  20  4  CRC-32 of the head, for those who read nothing else: an index that is built anew
 *  24 32  SHA-256 of bytes 0–23, the head and the body
 *  56  …  head: JSON { key, tags, meta }
 *   …  …  body
 */
const MAGIC = Buffer.from('sluice\0\x01', 'latin1')
const DIGEST_AT = 24
export const PREFIX_BYTES = 56
const MAX_HEAD_BYTES = 1_000_000
/** Between two such parts others get a turn: SHA-256 takes about a millisecond for one. */
const HASH_STEP_BYTES = 1_000_000

export interface Head {
  readonly key: string
  readonly tags: readonly string[]
  readonly meta: Meta
}

export interface Prefix {
  readonly headBytes: number
  readonly bodyBytes: number
  readonly headSum: number
  readonly digest: string
}

export interface EncodedFrame {
  /** In order; the chunks of the entry are among them, not copies. */
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  readonly digest: string
}

/** @returns `undefined` when facts and tags are too long to be kept. */
export async function encodeFrame(key: string, entry: Entry): Promise<EncodedFrame | undefined> {
  const head = Buffer.from(JSON.stringify({ key, tags: entry.tags, meta: entry.meta } satisfies Head))
  if (head.length > MAX_HEAD_BYTES) return undefined
  const prefix = Buffer.alloc(PREFIX_BYTES)
  const bodyBytes = entry.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  MAGIC.copy(prefix)
  prefix.writeUInt32LE(head.length, 8)
  prefix.writeBigUInt64LE(BigInt(bodyBytes), 12)
  prefix.writeUInt32LE(crc32(head), 20)
  const digest = await digestOf(prefix, [head, ...entry.chunks])
  prefix.write(digest, DIGEST_AT, 'hex')
  return {
    parts: [prefix, head, ...entry.chunks],
    bytes: PREFIX_BYTES + head.length + bodyBytes,
    digest,
  }
}

/** @returns `undefined` when this is no frame of ours. */
export function parsePrefix(bytes: Buffer): Prefix | undefined {
  if (bytes.length < PREFIX_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const headBytes = bytes.readUInt32LE(8)
  const bodyBytes = Number(bytes.readBigUInt64LE(12))
  if (headBytes > MAX_HEAD_BYTES || !Number.isSafeInteger(bodyBytes)) return undefined
  const digest = bytes.toString('hex', DIGEST_AT, PREFIX_BYTES)
  return { headBytes, bodyBytes, headSum: bytes.readUInt32LE(20), digest }
}

/** @returns `undefined` when the head is damaged or not one of `key`. */
export function parseHead(bytes: Buffer, { headSum }: Prefix, key: string): Head | undefined {
  if (crc32(bytes) !== headSum) return undefined
  try {
    const head = JSON.parse(bytes.toString()) as Partial<Head> | null
    if (head?.key !== key || !Array.isArray(head.tags) || !isRecord(head.meta)) return undefined
    if (!head.tags.every((tag) => typeof tag === 'string')) return undefined
    return { key, tags: head.tags, meta: head.meta }
  } catch {
    return undefined
  }
}

/**
 * Checks everything: magic, lengths, checksum, key.
 *
 * @returns The head, the body as a view of `bytes`, and the checksum; `undefined` when anything is wrong.
 */
export async function openFrame(
  bytes: Buffer,
  key: string,
): Promise<{ readonly head: Head; readonly body: Buffer; readonly digest: string } | undefined> {
  const prefix = parsePrefix(bytes)
  if (prefix === undefined) return undefined
  const bodyAt = PREFIX_BYTES + prefix.headBytes
  if (bytes.length !== bodyAt + prefix.bodyBytes) return undefined
  if ((await digestOf(bytes, [bytes.subarray(PREFIX_BYTES)])) !== prefix.digest) return undefined
  const head = parseHead(bytes.subarray(PREFIX_BYTES, bodyAt), prefix, key)
  return head && { head, body: bytes.subarray(bodyAt), digest: prefix.digest }
}

/** A hash that has seen what comes before the head. */
export function startDigest(prefix: Buffer): Hash {
  return createHash('sha256').update(prefix.subarray(0, DIGEST_AT))
}

async function digestOf(prefix: Buffer, parts: readonly Uint8Array[]): Promise<string> {
  const hash = startDigest(prefix)
  let sinceTurn = 0
  for (const part of parts) {
    for (let at = 0; at < part.length; at += HASH_STEP_BYTES) {
      const step = part.subarray(at, at + HASH_STEP_BYTES)
      hash.update(step)
      sinceTurn += step.length
      if (sinceTurn < HASH_STEP_BYTES) continue
      sinceTurn = 0
      await setImmediate()
    }
  }
  return hash.digest('hex')
}

function isRecord(value: unknown): value is Meta {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
