import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { corpusFile, describeCorpus } from '../helpers/corpus.ts'
import { pattern } from '../helpers/fixtures.ts'
import { make } from '../helpers/make.ts'

/** Reads one pixel of an encoded picture. */
async function pixel(data: Buffer, x: number, y: number): Promise<number[]> {
  const { data: raw, info } = await sharp(data).raw().toBuffer({ resolveWithObject: true })
  return [...raw.subarray((y * info.width + x) * info.channels, (y * info.width + x) * info.channels + 3)]
}

const distance = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))))

describeCorpus('colour', () => {
  const rows = () =>
    corpusFile('colour/expected-srgb.tsv')
      .toString()
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t'))
      .filter((cells) => cells[4] === 'perceptual')

  test('wide-gamut and CMYK sources come out as sRGB', async () => {
    expect(rows().length).toBeGreaterThan(50)
    const pictures = new Map<string, Buffer>()
    const wrong: string[] = []
    for (const [path = '', x, y, , , rgb = ''] of rows()) {
      if (!pictures.has(path)) pictures.set(path, (await make(corpusFile(path), 'format=png')).data)
      const found = await pixel(pictures.get(path) as Buffer, Number(x), Number(y))
      // The stored value of a JPEG or WebP is itself off by a few steps.
      const allowed = /\.(?:jpg|webp)$/.test(path) ? 8 : 2
      if (distance(found, rgb.split(',').map(Number)) > allowed)
        wrong.push(`${path} at ${x},${y}: ${found}, expected ${rgb}`)
    }
    expect(wrong).toEqual([])
  })

  test.for(
    ['jpg', 'png', 'webp', 'tif'].flatMap((type) => [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, type] as const)),
  )('[I-12] orientation %i of a %s is upright before any crop', async ([n, type]) => {
    const file = corpusFile(`orientation/corners/corner_${n}.${type}`)
    const corners = { '0:0': [255, 0, 0], '40:0': [0, 255, 0], '0:25': [0, 0, 255], '40:25': [255, 255, 0] }
    for (const [at, colour] of Object.entries(corners)) {
      for (const recipe of [`crop=${at}:20:15,format=png`, `crop=${at}:20:15;w=10,format=png`]) {
        const { data, width, height } = await make(file, recipe)
        expect(
          distance(await pixel(data, Math.floor(width / 2), Math.floor(height / 2)), colour),
        ).toBeLessThan(40)
      }
    }
    expect(await make(file, '_')).toMatchObject({ width: 60, height: 40 })
  })
})

describe('alpha', () => {
  test('transparent pixels do not colour their neighbours', async () => {
    const data = Buffer.alloc(40 * 40 * 4)
    for (let i = 0; i < 40 * 40; i++) data.set(i % 40 < 20 ? [255, 0, 0, 255] : [0, 255, 0, 0], i * 4)
    const png = await sharp(data, { raw: { width: 40, height: 40, channels: 4 } })
      .png()
      .toBuffer()
    for (const recipe of ['w=13', 'blur=3', 'rotate=20', 'pix=7']) {
      const { data: made } = await make(png, `${recipe},format=png`)
      const raw = await sharp(made).ensureAlpha().raw().toBuffer()
      for (let at = 0; at < raw.length; at += 4)
        if ((raw[at + 3] as number) > 8) expect(raw[at + 1]).toBeLessThan(16)
    }
  })
})

describe('depth', () => {
  test('16 bits stay 16 bits in PNG and TIFF when asked', async () => {
    const samples = Uint16Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 331) % 65_536)
    const png = await sharp(samples, { raw: { width: 64, height: 64, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    for (const format of ['png', 'tiff']) {
      const { data } = await make(png, `depth=16,format=${format}`)
      expect((await sharp(data).metadata()).depth).toBe('ushort')
      const back = await sharp(data).toColourspace('rgb16').raw({ depth: 'ushort' }).toBuffer()
      expect(Buffer.from(samples.buffer).equals(back)).toBe(true)
    }
    expect((await sharp((await make(png, 'format=png')).data).metadata()).depth).toBe('uchar')
  })
})

describe('metadata', () => {
  test('[R-03] nothing is kept by default; copyright is kept when asked, GPS never with it', async () => {
    const jpeg = await sharp(pattern(60, 40), { raw: { width: 60, height: 40, channels: 3 } })
      .withExif({
        IFD0: { Copyright: '(c) Ada', Make: 'Secret' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 0/1 0/1' },
      })
      .jpeg()
      .toBuffer()
    const plain = await sharp((await make(jpeg, 'w=30')).data).metadata()
    expect([plain.exif, plain.icc, plain.xmp]).toEqual([undefined, undefined, undefined])
    const kept = (await make(jpeg, 'w=30,meta=copyright')).data
    expect(kept.includes('(c) Ada')).toBe(true)
    expect(kept.includes('Secret')).toBe(false)
  })
})
