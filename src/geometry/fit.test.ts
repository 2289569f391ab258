import { describe, expect, test } from 'vitest'
import { fitInside, fitOutside } from './fit.ts'

describe('fitInside()', () => {
  test.for([
    ['keeps the ratio when only the width is given', [1200, 800], { width: 400 }, [400, 267]],
    ['takes the tighter side of a box', [1200, 800], { width: 400, height: 100 }, [150, 100]],
    ['leaves a small image alone', [120, 80], { width: 400 }, [120, 80]],
    ['never rounds a side down to zero', [4000, 1], { width: 100 }, [100, 1]],
  ] as const)('%s', ([, [width, height], box, [w, h]]) => {
    expect(fitInside({ width, height }, box)).toEqual({ width: w, height: h })
  })

  test('enlarges only when asked', () => {
    expect(fitInside({ width: 10, height: 5 }, { width: 20 }, true)).toEqual({ width: 20, height: 10 })
  })

  test('refuses a box without sides', () => {
    expect(() => fitInside({ width: 10, height: 5 }, {})).toThrow(/"w"/)
  })
})

describe('fitOutside()', () => {
  test('covers the box', () => {
    expect(fitOutside({ width: 1200, height: 800 }, { width: 400, height: 400 })).toEqual({
      width: 600,
      height: 400,
    })
  })
})
