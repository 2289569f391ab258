import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Running } from '../../src/main.ts'
import { startService, stopService } from '../helpers/service.ts'

const lake = fileURLToPath(new URL('../../samples/lake.jpg', import.meta.url))
const executablePath = findChromium()

describe.skipIf(executablePath === undefined)('the first page in Chromium', () => {
  let service: Running
  let browser: Browser
  beforeAll(async () => {
    service = await startService()
    browser = await chromium.launch({
      executablePath: executablePath as string,
      // Containers run as root, where Chromium refuses its own sandbox; it only ever sees our page.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await stopService(service)
  })

  test('shows pictures that are made as they are asked for, and breaks no policy of its own', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(service.url, { waitUntil: 'load' })
    const images = page.locator('figure img')
    expect(await images.count()).toBeGreaterThanOrEqual(4)
    for (const image of await images.all()) {
      await image.scrollIntoViewIfNeeded()
      await expect
        .poll(() => image.evaluate((node) => (node as unknown as { naturalWidth: number }).naturalWidth), {
          timeout: 10_000,
        })
        .toBe(480)
    }
    expect(complaints).toEqual([])
    await page.close()
  })

  test('uploads a photo without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(service.url)
    await page.setInputFiles('input[type=file]', lake)
    const answered = page.waitForResponse((response) => response.url().includes('/upload'))
    await page.getByRole('button', { name: '800 px WebP' }).click()
    const answer = await answered
    expect([answer.status(), answer.headers()['content-type']]).toEqual([200, 'image/webp'])
    await context.close()
  })
})

function findChromium(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
