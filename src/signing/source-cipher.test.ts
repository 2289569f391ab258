import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSourceCipher } from './source-cipher.ts'

const keyHex = '0b'.repeat(32)
const cipher = createSourceCipher(keyHex)
const payload = (token: string) => Buffer.from(token, 'base64url')
const refused = { code: 'source-forbidden', message: 'Cannot read this source' }

describe('createSourceCipher()', () => {
  test('gives back every text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (text) => {
        const token = await cipher.encrypt(text)
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(await cipher.decrypt(token)).toBe(text)
      }),
      { numRuns: 300 },
    )
  })

  test('equal sources give equal tokens, different ones never share a nonce', async () => {
    expect(await cipher.encrypt('photos/cat.jpg')).toBe(
      await createSourceCipher(keyHex).encrypt('photos/cat.jpg'),
    )
    const tokens = await Promise.all(
      Array.from({ length: 5000 }, (_, n) => cipher.encrypt(`photos/${n}.jpg`)),
    )
    const nonces = tokens.map((token) => payload(token).subarray(0, 12).toString('hex'))
    expect(new Set(nonces).size).toBe(5000)
  })

  test('is AES-256-GCM under derived keys, as another library computes it', async () => {
    const derive = (info: string) => Buffer.from(hkdfSync('sha256', Buffer.from(keyHex, 'hex'), '', info, 32))
    const bytes = payload(await cipher.encrypt('photos/cat.jpg'))
    const nonce = createHmac('sha256', derive('sluice source nonce 1'))
      .update('photos/cat.jpg')
      .digest()
      .subarray(0, 12)
    expect(bytes.subarray(0, 12).equals(nonce)).toBe(true)
    const decipher = createDecipheriv('aes-256-gcm', derive('sluice source encryption 1'), nonce)
    decipher.setAuthTag(bytes.subarray(-16))
    expect(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString()).toBe(
      'photos/cat.jpg',
    )
  })

  test('refuses a token with any one bit flipped, cut or spelled otherwise, and says nothing', async () => {
    const token = await cipher.encrypt('photos/cat.jpg')
    const bytes = payload(token)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      await expect(cipher.decrypt(flipped.toString('base64url'))).rejects.toMatchObject(refused)
    }
    const wrong = [
      '',
      'AAAA',
      `e:${token}`,
      `${token}=`,
      `${token}A`,
      token.slice(0, -1),
      token.slice(0, 30),
      'photos/cat.jpg',
    ]
    for (const one of wrong) await expect(cipher.decrypt(one)).rejects.toMatchObject(refused)
    await expect(createSourceCipher('0c'.repeat(32)).decrypt(token)).rejects.toMatchObject(refused)
  })

  test('refuses a key that is too short or no hexadecimal', () => {
    for (const wrong of ['', '0b'.repeat(15), '0b'.repeat(65), 'zz'.repeat(32)])
      expect(() => createSourceCipher(wrong)).toThrow(expect.objectContaining({ code: 'config-invalid' }))
  })
})
