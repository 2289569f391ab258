import { describe, expect, test } from 'vitest'
import type { Order } from '../recipe/index.ts'
import { applyHints, readHints } from './client-hints.ts'

describe('readHints()', () => {
  test.for([
    ['nothing', {}, {}],
    ['the names of today', { 'sec-ch-dpr': '2', 'sec-ch-width': '640', 'sec-ch-viewport-width': '1280' }, { dpr: 2, width: 700, viewportWidth: 1300 }],
    ['the names of before', { dpr: '2', width: '640', 'viewport-width': '1280' }, { dpr: 2, width: 700, viewportWidth: 1300 }],
    ['today over before', { 'sec-ch-dpr': '2', dpr: '3' }, { dpr: 2 }],
    ['steps upwards', { dpr: '2.625', width: '1' }, { dpr: 3, width: 100 }],
    ['limits', { dpr: '0.5', width: '99999' }, { dpr: 1, width: 8192 }],
    ['limits above', { dpr: '17' }, { dpr: 4 }],
    ['junk', { dpr: 'two', width: '-5', 'viewport-width': '1e9' }, {}],
    ['nothing at all', { dpr: '0', width: '' }, {}],
    ['a repeated header', { width: ['100', '200'] }, {}],
  ] as const)('%s', ([, headers, expected]) => {
    expect(readHints(headers)).toEqual(expected)
  }) // biome-ignore format: a table

  test('leaves few variants', () => {
    const every = Array.from({ length: 9000 }, (_, n) =>
      readHints({ width: String(n), dpr: String(n / 1000) }),
    )
    expect(new Set(every.map(({ width }) => width)).size).toBeLessThan(85)
    expect(new Set(every.map(({ dpr }) => dpr)).size).toBeLessThan(9)
  })
})

describe('applyHints()', () => {
  const order = (hints: Order['hints'], dpr = 1): Order => ({
    source: 'a', dpr, orient: 'auto', delivery: {}, ...(hints ? { hints } : {}),
    recipe: { stages: [{ steps: [{ op: 'resize', fit: 'cover', height: 50 }] }, { steps: [{ op: 'blur', sigma: 2 }] }], output: {} },
  }) // biome-ignore format: a table
  const resizeOf = ({ recipe }: Order) => recipe.stages[0]?.steps.find(({ op }) => op === 'resize')

  test('changes nothing that was not left open', () => {
    expect(applyHints(order(undefined, 3), { dpr: 2, width: 300 })).toEqual(order(undefined, 3))
  })

  test('fills the DPR and the width, in CSS px', () => {
    const filled = applyHints(order({ dpr: true, width: true }), { dpr: 2, width: 700, viewportWidth: 900 })
    expect(filled).toMatchObject({ dpr: 2 })
    expect(filled.hints).toBeUndefined()
    expect(resizeOf(filled)).toEqual({ op: 'resize', fit: 'cover', height: 50, width: 350 })
    expect(filled.recipe.stages[1]).toEqual({ steps: [{ op: 'blur', sigma: 2 }] })
  })

  test('takes the window where the width is not told', () => {
    expect(resizeOf(applyHints(order({ width: true }, 2), { viewportWidth: 900 }))?.width).toBe(900)
  })

  test('leaves open what nobody tells', () => {
    expect(resizeOf(applyHints(order({ dpr: true, width: true }), {}))).toEqual({
      op: 'resize',
      fit: 'cover',
      height: 50,
    })
    expect(applyHints(order({ dpr: true }), {}).dpr).toBe(1)
  })

  test('makes the resize that is not there', () => {
    const bare: Order = {
      ...order({ width: true }),
      recipe: { stages: [{ preset: 'card', steps: [] }], output: {} },
    }
    expect(applyHints(bare, { width: 300 }).recipe.stages).toEqual([
      { preset: 'card', steps: [{ op: 'resize', width: 300 }] },
    ])
  })
})
