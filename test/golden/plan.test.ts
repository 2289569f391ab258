import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/errors/index.ts'
import { corpusFile, hasCorpus } from '../helpers/corpus.ts'
import { fixture } from '../helpers/fixtures.ts'
import { make } from '../helpers/make.ts'
import { randomRecipe } from '../helpers/random-recipe.ts'

// Small files of every format, orientation, depth and colour space; a stranger's clone has the generated ones.
const CORPUS = [
  'orientation/corners/corner_1.jpg', 'orientation/corners/corner_2.png', 'orientation/corners/corner_3.webp', 'orientation/corners/corner_4.tif',
  'orientation/corners/corner_5.jpg', 'orientation/corners/corner_6.jpg', 'orientation/corners/corner_7.jpg', 'orientation/corners/corner_8.jpg',
  'orientation/corners/corner_6.webp', 'orientation/corners/corner_5.tif', 'orientation/landscape_6.jpg', 'orientation/portrait_3.jpg',
  'colour/cmyk-no-profile.jpg', 'colour/grey.jpg', 'colour/grey16-alpha.png', 'colour/rgb16.tif', 'colour/palette-trns-photo.png', 'colour/p3-8x8.png',
  'colour/bilevel-g4.tif', 'colour/ycck-cantaloupe.jpg', 'formats/jpeg-progressive.jpg', 'formats/jpeg-444.jpg', 'formats/avif-alpha.avif',
  'formats/gif-static.gif', 'formats/gif-animated-cogs.gif', 'formats/svg-check.svg', 'formats/pngsuite/basn4a16.png', 'formats/pngsuite/tbbn3p08.png',
  'colour/grey-8bit-alpha.png', 'photos/concert-lowlight.jpg',
] // biome-ignore format: a list

async function sources(): Promise<readonly Buffer[]> {
  const generated = await Promise.all([
    fixture(),
    fixture({ alpha: true }),
    fixture({ format: 'jpeg', orientation: 6 }),
    fixture({ format: 'webp', alpha: true }),
    fixture({ format: 'gif' }),
    fixture({ format: 'tiff', orientation: 5 }),
  ])
  return hasCorpus ? CORPUS.map(corpusFile) : generated
}

const RUNS = 1000
/** The same recipes on every machine; another number explores further. */
const seed = Number(process.env.SLUICE_TEST_SEED ?? 20_261_124)

describe('createPlan()', () => {
  test(`predicts the size of ${RUNS} random recipes`, async () => {
    const files = await sources()
    let made = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), randomRecipe(), async (index, text) => {
        const picture = await make(files[index] as Buffer, `${text},format=png`).catch(refused)
        if (picture === undefined) return
        made += 1
        const { width = 0, height = 0 } = await sharp(picture.data).metadata()
        if (picture.plan.exact) expect({ width, height }).toEqual(picture.plan.size)
        else {
          expect(width).toBeLessThanOrEqual(picture.plan.size.width)
          expect(height).toBeLessThanOrEqual(picture.plan.size.height)
        }
      }),
      { numRuns: RUNS, seed },
    )
    // Refusals (a crop outside of the image) are right answers, but must not be what was tested.
    expect(made).toBeGreaterThan(RUNS / 2)
  }, 300_000)

  test('gives the same pixels fused as in one pass per step', async () => {
    const files = await Promise.all([
      fixture(),
      fixture({ alpha: true }),
      fixture({ format: 'tiff', orientation: 6 }),
      fixture({ format: 'png', width: 61, height: 200, orientation: 7 }),
      fixture({ format: 'jpeg', orientation: 8 }),
    ])
    let fused = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), randomRecipe(), async (index, text) => {
        const file = files[index] as Buffer
        const together = await make(file, `${text},format=png`).catch(refused)
        if (together === undefined) return
        const apart = await make(file, `${text},format=png`, { separate: true })
        if (
          together.plan.passes.length < apart.plan.passes.length ||
          together.plan.base.fused !== apart.plan.base.fused
        )
          fused += 1
        expect(together.data.equals(apart.data)).toBe(true)
      }),
      { numRuns: 400, seed },
    )
    expect(fused).toBeGreaterThan(50)
  }, 300_000)
})

describe('groupPasses()', () => {
  test('a crop after a mirror is not taken for one before it', async () => {
    const file = await fixture()
    const recipe = 'flip=h;crop=10%25:10%25:50%25:50%25,format=png'
    expect((await make(file, recipe)).data.equals((await make(file, recipe, { separate: true })).data)).toBe(
      true,
    )
  })
})

describe('trim', () => {
  test('what follows is planned again on what is left: no distortion', async () => {
    const inner = await sharp({ create: { width: 40, height: 100, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const framed = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'white' } })
      .composite([{ input: inner }])
      .png()
      .toBuffer()
    expect(await make(framed, 'trim=10;h=50')).toMatchObject({
      width: 20,
      height: 50,
      plan: { exact: false },
    })
    expect(await make(framed, 'trim=10;w=30,h=30,fit=cover')).toMatchObject({
      width: 30,
      height: 30,
      plan: { exact: true },
    })
  })
})

/** Plans may refuse: a crop that lies outside, a size over the limits. Anything else is a failure. */
function refused(error: unknown): undefined {
  if (
    error instanceof SluiceError &&
    (error.code === 'parameter-invalid' ||
      error.code === 'result-too-large' ||
      error.code === 'source-too-large')
  )
    return undefined
  throw error
}
