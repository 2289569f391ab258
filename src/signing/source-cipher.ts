import { SluiceError } from '../errors/index.ts'
import { fromBase64Url, fromHex, toBase64Url } from './bytes.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface SourceCipher {
  /** `photos/cat.jpg` to the token that stands for it behind `e:`. Equal sources give equal tokens. */
  encrypt(source: string): Promise<string>
  /**
   * A token, without `e:`, to the source.
   *
   * @throws {SluiceError} `source-forbidden` for whatever this key did not make; it does not say why.
   */
  decrypt(token: string): Promise<string>
}

/** Whether a source is encrypted: `e:` and a token. */
export function isEncryptedSource(source: string): boolean {
  return source.startsWith('e:')
}

/**
 * Encrypts sources, so that a URL does not tell where its image lies: AES-256-GCM over the UTF-8 text.
 *
 * The nonce is an HMAC of the text under a key of its own: two texts never share a nonce (but by a collision of 96 bits),
 * and one text always has the same, so that URLs and caches stay stable. The length of the source is visible.
 *
 * @param keyHex 16–64 bytes, hexadecimal; both keys are derived from it by HKDF-SHA-256.
 * @throws {SluiceError} `config-invalid` for a key of another form.
 * @see https://www.rfc-editor.org/rfc/rfc5116 https://www.rfc-editor.org/rfc/rfc5869
 */
export function createSourceCipher(keyHex: string): SourceCipher {
  if (!/^(?:[0-9a-fA-F]{2}){16,64}$/.test(keyHex))
    throw new SluiceError('config-invalid', 'SLUICE_SOURCE_KEY: expected 16 to 64 bytes in hexadecimal')
  // Derived on first use: a factory has nobody to tell of a promise that fails.
  let derived: ReturnType<typeof deriveKeys> | undefined
  const keys = () => (derived ??= deriveKeys(keyHex))
  return {
    async encrypt(source) {
      const { encryption, nonce } = await keys()
      const text = new TextEncoder().encode(source)
      const iv = new Uint8Array(await crypto.subtle.sign('HMAC', nonce, text)).slice(0, NONCE_BYTES)
      const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, encryption, text))
      const payload = new Uint8Array(NONCE_BYTES + sealed.length)
      payload.set(iv)
      payload.set(sealed, NONCE_BYTES)
      return toBase64Url(payload)
    },
    async decrypt(token) {
      const payload = fromBase64Url(token)
      if (payload === undefined || payload.length <= NONCE_BYTES + TAG_BYTES) throw forbidden()
      const { encryption } = await keys()
      const iv = payload.slice(0, NONCE_BYTES)
      try {
        const text = await crypto.subtle.decrypt(
          { name: 'AES-GCM', iv },
          encryption,
          payload.slice(NONCE_BYTES),
        )
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text)
      } catch {
        throw forbidden()
      }
    },
  }
}

async function deriveKeys(keyHex: string) {
  const master = await crypto.subtle.importKey('raw', fromHex(keyHex), 'HKDF', false, ['deriveKey'])
  const hkdf = (info: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: new TextEncoder().encode(info),
  })
  const [encryption, nonce] = await Promise.all([
    crypto.subtle.deriveKey(
      hkdf('sluice source encryption 1'),
      master,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    ),
    crypto.subtle.deriveKey(
      hkdf('sluice source nonce 1'),
      master,
      { name: 'HMAC', hash: 'SHA-256', length: 256 },
      false,
      ['sign'],
    ),
  ])
  return { encryption, nonce }
}

function forbidden(): SluiceError {
  return new SluiceError('source-forbidden', 'Cannot read this source')
}
