import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { findOperation, operations, type Raster, resolveSteps } from './index.ts'

const raster = (size: { width: number; height: number }): Raster => ({
  size,
  alpha: false,
  bitDepth: 8,
  frames: 1,
  exact: true,
})

describe('operations', () => {
  test.for(
    operations.flatMap(({ name, examples }) => examples.map((example, i) => [name, i, example] as const)),
  )('%s: example %i gives the size it says', ([name, , { params, from, to }]) => {
    const operation = findOperation(name)
    const checked = operation?.params(z).parse(params) as object
    const steps = resolveSteps([{ op: name, ...checked }], raster(from), {
      profile: 'fast',
      inputs: [],
      inputsOf: () => [],
    })
    expect(steps.at(-1)?.planned.size ?? from).toEqual(to)
  })

  test('every file that defines one is in the list', () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((file) => !file.endsWith('.test.ts'))
    const helpers = [
      'define.ts',
      'index.ts',
      'resolve.ts',
      'passes.ts',
      'colour.ts',
      'gravity.ts',
      'samples.ts',
      'url-text.ts',
    ]
    const defined = files
      .filter((file) => !helpers.includes(file))
      .map((file) => file.replace('.ts', '').replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()))
    expect(operations.map(({ name }) => name).toSorted()).toEqual(defined.toSorted())
  })

  test('no two of them share a URL key', () => {
    const keys = operations.flatMap(({ urlKeys }) => Object.keys(urlKeys))
    expect(new Set(keys).size).toBe(keys.length)
  })
})
