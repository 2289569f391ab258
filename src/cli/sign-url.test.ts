import { afterEach, describe, expect, test, vi } from 'vitest'
import { native } from '../dialects/index.ts'
import { createPolicyVerifier, createSourceCipher, createVerifier } from '../signing/index.ts'
import { signUrl } from './sign-url.ts'

const flags = { keys: '0a'.repeat(32), 'source-key': '0b'.repeat(32) }
const keys = [flags.keys]
const now = () => Math.floor(Date.now() / 1000)

/** What the command prints. */
async function printed(
  positional: readonly string[],
  own: Readonly<Record<string, string>> = {},
): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  try {
    expect(await signUrl({ positional, flags, own })).toBe(0)
    return write.mock.calls.map(([text]) => String(text)).join('')
  } finally {
    write.mockRestore()
  }
}

afterEach(() => vi.restoreAllMocks())

describe('sluice sign', () => {
  test('prints path and URL in the form they came in, alone', async () => {
    expect(await printed(['/i/w=4/a.jpg'])).toMatch(/^\/i\/w=4\/a\.jpg\?s=[\w-]{43}\n$/)
    const url = (await printed(['https://h.example/i/w=4/a.jpg?v=2'], { expires: '1h' })).trimEnd()
    expect(url).toMatch(/^https:\/\/h\.example\/i\/w=4\/a\.jpg\?exp=\d{10}&v=2&s=[\w-]{43}$/)
    const claim = native.claim(url.slice('https://h.example'.length))
    await createVerifier({ keys, now })(claim)
    expect((claim.expires ?? 0) - now()).toBeGreaterThan(3590)
  })

  test('signs bounds instead of a URL', async () => {
    const lines = (
      await printed(['/i/w=4/photos/a.jpg', '/i/_/photos/b.jpg?v=1'], {
        policy: '{"prefix":"photos"}',
        expires: '1h',
      })
    )
      .trimEnd()
      .split('\n')
    expect(lines.map((line) => line.replace(/p=.*/, 'p='))).toEqual([
      '/i/w=4/photos/a.jpg?p=',
      '/i/_/photos/b.jpg?v=1&p=',
    ])
    const { policy = '' } = native.claim(lines[0] as string)
    expect(await createPolicyVerifier({ keys, now })(policy)).toMatchObject({
      prefix: 'photos',
      exp: expect.any(Number),
    })
    expect(await printed([], { policy: '{"src":"a"}' })).toMatch(/^[\w-]+\.[\w-]{43}\n$/)
  })

  test('hides the source', async () => {
    const target = (
      await printed(['/i/w=4/photos/a.jpg?exp=9999999999&dl=x'], { 'encrypt-source': 'true' })
    ).trimEnd()
    expect(target).toMatch(/^\/i\/w=4\/e:[\w-]+\?exp=9999999999&dl=x&s=[\w-]{43}$/)
    const { source = '' } = native.parse(native.claim(target)).order
    expect(await createSourceCipher(flags['source-key']).decrypt(source.slice('e:'.length))).toBe(
      'photos/a.jpg',
    )
  })

  test.for([
    ['what the service would not read', ['/i/widht=4/a.jpg'], {}, 'parameter-unknown'],
    ['what is signed already', ['/i/_/a.jpg?s=x'], {}, 'parameter-invalid'],
    ['a time that is none', ['/i/_/a.jpg'], { expires: 'soon' }, 'parameter-invalid'],
    ['a second expiry', ['/i/_/a.jpg?exp=9'], { expires: '1h' }, 'parameter-invalid'],
    ['nothing', [], {}, 'parameter-invalid'],
    ['a source outside of the policy', ['/i/_/a.jpg'], { policy: '{"prefix":"photos"}' }, 'policy-exceeded'],
    ['a policy that is none', ['/i/_/a.jpg'], { policy: 'null' }, 'policy-invalid'],
    ['an unknown bound', ['/i/_/a.jpg'], { policy: '{"src":"a.jpg","max":1}' }, 'policy-invalid'],
  ] as const)('refuses %s', async ([, positional, own, code]) => {
    await expect(signUrl({ positional, flags, own })).rejects.toMatchObject({ code })
  })
})
