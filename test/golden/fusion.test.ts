import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/errors/index.ts'
import { fixture } from '../helpers/fixtures.ts'
import { make } from '../helpers/make.ts'

/*
 * Random recipes seldom put a crop behind a flip, and there the pixel library's own order bites: every sequence of
 * up to three geometric steps is compared, on an upright and on turned sources.
 */
const STEPS = ['crop=12:8:40:30', 'crop=3:4:20:22', 'flip=h', 'flip=v', 'rotate=90', 'rotate=180', 'w=50']
const pairs = STEPS.flatMap((a) => STEPS.map((b) => `${a};${b}`))
const triples = pairs.flatMap((pair) => STEPS.map((c) => `${pair};${c}`))

describe('a fused plan of geometric steps', () => {
  test.for([
    ['upright', 1],
    ['turned', 6],
    ['turned and mirrored', 7],
  ] as const)('has the pixels of one pass per step: %s', { timeout: 120_000 }, async ([, orientation]) => {
    const source = await fixture({ format: 'jpeg', orientation })
    const different: string[] = []
    let compared = 0
    for (const recipe of [...pairs, ...triples]) {
      try {
        const together = await make(source, `${recipe},format=png`)
        const apart = await make(source, `${recipe},format=png`, { separate: true })
        compared += 1
        if (!together.data.equals(apart.data)) different.push(recipe)
      } catch (error) {
        // A crop may lie outside of what an earlier step left.
        if (!(error instanceof SluiceError && error.code === 'parameter-invalid')) throw error
      }
    }
    expect(different).toEqual([])
    expect(compared).toBeGreaterThan(250)
  })
})
