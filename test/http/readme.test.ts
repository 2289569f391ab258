import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { startService, stopService } from '../helpers/service.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
// What lies in the bucket of an example is asked for in readme-bucket.test.ts.
const targets = [...readme.matchAll(/http:\/\/localhost:8080(\/i\/[^\s`]+)/g)]
  .map(([, target]) => target as string)
  .filter((target) => !target.includes('/products:'))

describe('README.md', () => {
  let service: Running
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(() => stopService(service))

  test('shows at least five recipes', () => {
    expect(new Set(targets).size).toBeGreaterThanOrEqual(5)
  })

  test.for(targets)('shows a URL that gives a picture: %s', async (target) => {
    const answer = await fetch(service.url + target)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^image\//)
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(500)
  })

  test.for([
    [/curl -F photo=@(\S+) http:\/\/localhost:8080(\S+)/, true],
    [/curl --data-binary @(\S+) http:\/\/localhost:8080(\S+)/, false],
  ] as const)('shows an upload that gives a picture: %s', async ([pattern, isForm]) => {
    const [, file = '', target = ''] = pattern.exec(readme) ?? []
    const bytes = readFileSync(new URL(`../../${file}`, import.meta.url))
    const form = new FormData()
    form.set('photo', new Blob([bytes]))
    const answer = await fetch(service.url + target, { method: 'POST', body: isForm ? form : bytes })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      isForm ? 'image/jpeg' : 'image/avif',
    ])
  })
})
