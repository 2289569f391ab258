import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Source } from '../../src/sources/define.ts'
import { authority, type Identity, identities } from '../helpers/certificates.ts'
import {
  countingTelemetry,
  fakeInternet,
  fetchAll,
  type HttpSourceTestOptions,
  PIXEL,
  PUBLIC_V4,
  startCanary,
  startImageOrigin,
  startRawOrigin,
  testHttpSource,
} from '../helpers/origin.ts'

const HEAD = 'HTTP/1.1 200 OK\r\n'
const GOOD = `${HEAD}Content-Length: 3\r\n\r\nabc`

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Setup extends HttpSourceTestOptions {
  readonly tls?: Identity
}

/** An origin that answers every request with `answer`, and a source that takes it for the Internet. */
async function against(
  answer: string | ((socket: Socket, head: string, before: number) => void),
  setup: Setup = {},
) {
  const { tls, ...options } = setup
  const handler =
    typeof answer === 'string' ? (socket: Socket) => void socket.write(answer, 'latin1') : answer
  const origin = await startRawOrigin(handler, tls === undefined ? {} : { tls })
  const internet = fakeInternet(origin.port)
  const telemetry = countingTelemetry()
  const source = testHttpSource({ connect: internet.connect, telemetry, ...options })
  cleanups.push(origin.close, () => source.close?.())
  return { origin, source, internet, telemetry }
}

/** Code, failure and time of a fetch that must fail. */
async function failure(source: Source, ref = 'http://img.test/a.png', maxBytes = 1_000_000) {
  const startedAtMs = performance.now()
  const error = await fetchAll(source, ref, { maxBytes }).then(
    () => ({}),
    (thrown: object) => thrown,
  )
  const { code, failure: reason, internal, message } = error as Record<string, string>
  return { code, reason, internal, message, ms: performance.now() - startedAtMs }
}

describe('[S-06] an origin that stalls', () => {
  const budgets = {
    originDnsTimeoutMs: 150,
    originConnectTimeoutMs: 150,
    originFirstByteTimeoutMs: 150,
    originIdleTimeoutMs: 150,
    originTimeoutMs: 600,
  }

  test.for([
    ['before its headers', () => {}, 'first byte'],
    ['within its headers', (socket: Socket) => socket.write(`${HEAD}Content-Le`), 'first byte'],
    [
      'between headers and body',
      (socket: Socket) => socket.write(`${HEAD}Content-Length: 9\r\n\r\n`),
      'idle',
    ],
    ['within its body', (socket: Socket) => socket.write(`${HEAD}Content-Length: 9\r\n\r\nabc`), 'idle'],
  ] as const)('%s is cut at the limit of that phase', async ([, handler, phase]) => {
    const { source, origin } = await against((socket) => void handler(socket), budgets)
    const { code, internal, ms } = await failure(source)
    expect({ code, internal }).toEqual({ code: 'origin-timeout', internal: `timeout: ${phase}` })
    expect(ms).toBeGreaterThan(140)
    expect(ms).toBeLessThan(400)
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })

  test('at the lookup of its name', async () => {
    const { source } = await against(GOOD, { ...budgets, resolve: () => new Promise(() => {}) })
    const { code, internal, ms } = await failure(source)
    expect({ code, internal }).toEqual({ code: 'origin-timeout', internal: 'timeout: dns' })
    expect(ms).toBeLessThan(400)
  })

  test('at its handshake', async () => {
    // A plain listener: it waits for the client to go on.
    const { source } = await against(() => {}, budgets)
    const { code, internal, ms } = await failure(source, 'https://img.test/')
    expect({ code, internal }).toEqual({ code: 'origin-timeout', internal: 'timeout: tls' })
    expect(ms).toBeLessThan(475)
  })

  test('drips its headers', async () => {
    const { source } = await against(
      (socket) => drip(socket, `${HEAD}X-Long: ${'a'.repeat(1000)}`, 20),
      budgets,
    )
    expect(await failure(source)).toMatchObject({ internal: 'timeout: first byte' })
  })

  test('drips its body below the rate', async () => {
    const { source } = await against(
      (socket) => {
        socket.write(`${HEAD}Content-Length: 1000\r\n\r\n`)
        drip(socket, 'a'.repeat(1000), 10, 40)
      },
      { ...budgets, minRateAfterMs: 200, originMinRate: 10_000 },
    )
    const { code, internal, ms } = await failure(source)
    expect({ code, internal }).toEqual({ code: 'origin-timeout', internal: 'timeout: rate' })
    expect(ms).toBeLessThan(500)
  })

  test('drips its body for ever', async () => {
    const { source, origin } = await against(
      (socket) => drip(socket, `${HEAD}\r\n`.padEnd(1000, 'a'), 10, 40),
      { ...budgets, originMinRate: 0 },
    )
    const { internal, ms } = await failure(source)
    expect(internal).toBe('timeout: total')
    expect(ms).toBeLessThan(850)
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })

  test('and is not waited for by a client that leaves', async () => {
    const { source, origin } = await against(() => {})
    const leaving = new AbortController()
    const fetching = fetchAll(source, 'http://img.test/', { signal: leaving.signal })
    setTimeout(() => leaving.abort(new Error('left')), 50)
    await expect(fetching).rejects.toThrow('left')
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })

  test('gives its turn back even when nobody reads or closes', async () => {
    const { source } = await against(GOOD, { originTimeoutMs: 200, originConnections: 1 })
    const signal = new AbortController().signal
    await source.open('http://img.test/', { signal, maxBytes: 100 })
    await delay(220)
    expect(await fetchAll(source, 'http://img.test/')).toMatchObject({ bytes: 3 })
  })
})

describe('[S-07] an answer', () => {
  test.for([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'origin-failed'],
    ['205', 'HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
    ['206 that nobody asked for', 'HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\nabc', 'origin-failed'],
    ['304 that nobody asked for', 'HTTP/1.1 304 Not Modified\r\n\r\n', 'origin-failed'],
    ['300 without a Location', 'HTTP/1.1 300 Choices\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
    ['302 without a Location', 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
    ['403', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
    ['404', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'source-not-found'],
    ['410', 'HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n', 'source-not-found'],
    ['500', 'HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
    ['two lengths', `${HEAD}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 'origin-failed'],
    ['two different lengths', `${HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 'origin-failed'],
    ['a length beside a coding', `${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`, 'origin-failed'],
    ['a length that is no number', `${HEAD}Content-Length: 0x3\r\n\r\nabc`, 'origin-failed'],
    ['gzip', `${HEAD}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc`, 'origin-failed'],
    ['br', `${HEAD}Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc`, 'origin-failed'],
    ['gzip twice', `${HEAD}Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc`, 'origin-failed'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 'origin-failed'],
    ['HTTP/2 without being asked', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'origin-failed'],
    ['an upgrade', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'origin-failed'],
    ['two Locations', 'HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n', 'origin-failed'],
  ] as const)('of %s is refused, and its connection ends', async ([, answer, code]) => {
    const { source, origin } = await against(answer, { originFirstByteTimeoutMs: 500 })
    expect(await failure(source)).toMatchObject({ code })
    await vi.waitFor(() => expect(origin.open).toBe(0))
  }) // biome-ignore format: a table

  test('that announces too many bytes is refused before its body', async () => {
    const { source, origin } = await against(`${HEAD}Content-Length: 2000\r\n\r\n`)
    const { code, ms } = await failure(source, 'http://img.test/', 1000)
    expect(code).toBe('source-too-large')
    expect(ms).toBeLessThan(200)
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })

  test('without a length is cut at the limit', async () => {
    let written = 0
    const { source } = await against((socket) => {
      socket.write(`${HEAD}\r\n`)
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536))) written += 65_536
        written += 65_536
      }
      socket.on('drain', more)
      more()
    })
    expect(await failure(source, 'http://img.test/', 500_000)).toMatchObject({ code: 'source-too-large' })
    // What lay in the buffers of both sockets was sent, nothing more.
    expect(written).toBeLessThan(16_000_000)
  })

  test('in chunks and one by the end of the connection are read', async () => {
    const chunked = await against(`${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`)
    expect((await fetchAll(chunked.source, 'http://img.test/')).body.toString()).toBe('abc')
    const ended = await against((socket) => socket.end(`${HEAD}\r\nabc`))
    expect((await fetchAll(ended.source, 'http://img.test/')).body.toString()).toBe('abc')
  })
})

describe('[S-08] a body', () => {
  test.for([
    ['one byte short', `${HEAD}Content-Length: 1000\r\n\r\n${'a'.repeat(999)}`],
    ['empty', `${HEAD}Content-Length: 1000\r\n\r\n`],
    ['cut within a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n10\r\nabc`],
    ['cut before its last chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`],
  ] as const)('that is %s is an error', async ([, answer]) => {
    const { source } = await against((socket) => socket.end(answer))
    expect(await failure(source)).toMatchObject({ code: 'origin-failed', reason: 'length' })
  })
})

describe('[S-09] headers', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a line of 1 MB', `${HEAD}X-Long: ${'a'.repeat(1_000_000)}\r\n\r\n`],
    [
      '10,000 lines',
      `${HEAD}${Array.from({ length: 10_000 }, (_, at) => `x-${at}: 1\r\n`).join('')}Content-Length: 0\r\n\r\n`,
    ],
    ['100 interim answers', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100) + GOOD],
    ['a 100 Continue', `HTTP/1.1 100 Continue\r\n\r\n${GOOD}`],
  ]
  test.for(cases)('of %s are refused at once', async ([, answer]) => {
    const { source, origin } = await against(answer)
    const { code, ms } = await failure(source)
    expect(code).toBe('origin-failed')
    expect(ms).toBeLessThan(1000)
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })

  test('of some early hints are let pass', async () => {
    const { source } = await against(`${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3)}${GOOD}`)
    expect(await fetchAll(source, 'http://img.test/')).toMatchObject({ bytes: 3 })
  })
})

describe('a request', () => {
  test('[S-10] holds nothing but what the fetch itself says', async () => {
    const { source, origin } = await against(GOOD, { instanceId: 'abcdef01' })
    const via = '1.1 secret-proxy, 1.0 fred (x), 1.1 sluice-0123456789'
    await fetchAll(source, 'http://img.test/a.png?x=1', { via })
    const [line, ...headers] = origin.heads[0]?.split('\r\n') ?? []
    expect(line).toBe('GET /a.png?x=1 HTTP/1.1')
    expect(headers.map((header) => header.toLowerCase()).sort()).toEqual([
      'accept-encoding: identity',
      'accept: image/*,*/*;q=0.1',
      'connection: keep-alive',
      'host: img.test',
      'user-agent: sluice',
      'via: 1.1 sluice-0123456789, 1.1 sluice-abcdef01',
    ])
  })

  test('[S-11] that comes back to the instance that made it is refused', async () => {
    const { source, origin } = await against(GOOD, { instanceId: 'abcdef01' })
    await expect(
      fetchAll(source, 'http://img.test/', { via: '1.1 other, 1.1 sluice-abcdef01' }),
    ).rejects.toMatchObject({ code: 'source-forbidden', facts: { loop: true }, denial: 'loop' })
    expect(origin.heads).toEqual([])
  })

  test('[S-15] takes no proxy from the environment', async () => {
    const canary = await startCanary()
    cleanups.push(canary.close)
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'])
      vi.stubEnv(name, `http://127.0.0.1:${canary.port}`)
    vi.stubEnv('NODE_USE_ENV_PROXY', '1')
    const { source } = await against(GOOD)
    expect(await fetchAll(source, 'http://img.test/')).toMatchObject({ bytes: 3 })
    expect(canary.connections).toBe(0)
  })

  test('takes its tokens and validators to the first origin alone', async () => {
    const { source, origin } = await against(
      (socket, head) =>
        void socket.write(
          head.includes('host: img.test')
            ? 'HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n'
            : GOOD,
        ),
      { originHeaders: ['img.test|Authorization: Bearer abc', 'other.test|Authorization: Bearer def'] },
    )
    await fetchAll(source, 'http://img.test/', { known: { etag: '"v1"' } })
    const [first, second] = origin.heads.map((head) => head.toLowerCase())
    expect(first).toMatch(/authorization: bearer abc/)
    expect(first).toMatch(/if-none-match: "v1"/)
    expect(second).not.toMatch(/authorization|if-none-match/)
  })

  test('asks with validators and takes a 304 for what is known', async () => {
    const content = { bytes: PIXEL, etag: '"v1"', cacheControl: 'max-age=60, stale-if-error=300' }
    const origin = await startImageOrigin(content)
    const source = testHttpSource({ connect: fakeInternet(origin.port).connect })
    cleanups.push(origin.close, () => source.close?.())
    const { validators, freshness } = await fetchAll(source, 'http://img.test/')
    expect(validators).toEqual({ etag: '"v1"' })
    expect(freshness).toEqual({ maxAgeSeconds: 60, storable: true, staleIfErrorSeconds: 300 })
    const signal = new AbortController().signal
    const again = await source.open('http://img.test/', { signal, maxBytes: 1000, known: { etag: '"v1"' } })
    expect(again).toMatchObject({ notModified: true, freshness: { maxAgeSeconds: 60 } })
    // The connection of the 304 serves the next request too.
    await fetchAll(source, 'http://img.test/')
    expect(origin.connections).toBe(1)
  })
})

describe('[C-08] freshness', () => {
  test.for([
    ['Cache-Control: max-age=60', { maxAgeSeconds: 60, storable: true }],
    ['Cache-Control: max-age=60, s-maxage=120\r\nAge: 20', { maxAgeSeconds: 100, storable: true }],
    ['Cache-Control: no-cache', { maxAgeSeconds: 0, storable: true }],
    ['Cache-Control: no-store', { storable: false }],
    ['Cache-Control: private, max-age=60', { storable: false }],
    ['Set-Cookie: a=b', { storable: false }],
    ['Vary: *', { storable: false }],
    ['Vary: Cookie', { storable: false }],
    ['Vary: Authorization', { storable: false }],
    ['Vary: Accept-Encoding, Origin', { maxAgeSeconds: undefined, storable: true }],
    ['Cache-Control: max-age=1, must-revalidate', { staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }],
    [
      'Cache-Control: max-age=1, stale-while-revalidate=9',
      { maxAgeSeconds: 1, staleWhileRevalidateSeconds: 9 },
    ],
    ['X-None: 1', { maxAgeSeconds: undefined, storable: true }],
  ] as const)('of "%s" is what the origin says', async ([header, expected]) => {
    const { source } = await against(`${HEAD}${header}\r\nContent-Length: 3\r\n\r\nabc`)
    expect((await fetchAll(source, 'http://img.test/')).freshness).toMatchObject(expected)
  })
})

describe('[S-12] a host', () => {
  test('has no more than its connections at once', async () => {
    let most = 0
    const { source, origin } = await against(
      (socket) => {
        most = Math.max(most, origin.open)
        setTimeout(() => socket.write(GOOD), 20)
      },
      { originConnections: 3 },
    )
    await Promise.all(Array.from({ length: 12 }, (_, at) => fetchAll(source, `http://img.test/${at}`)))
    expect(most).toBe(3)
  })

  test('is fetched from no more often than its rate', async () => {
    const { source } = await against(GOOD, { originRate: 20 })
    const startedAtMs = performance.now()
    await Promise.all(Array.from({ length: 30 }, (_, at) => fetchAll(source, `http://img.test/${at}`)))
    // 20 at once are saved up; the other 10 come at 20 a second.
    expect(performance.now() - startedAtMs).toBeGreaterThan(400)
  })

  test('that is dead is left alone, tried again, and costs no other host', async () => {
    let dead = true
    const { source, internet } = await against(
      (socket, head) => void (dead && head.includes('dead.test') ? socket.destroy() : socket.write(GOOD)),
      { originBreakerMs: 300, originRate: 1000 },
    )
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () => failure(source, 'http://dead.test/')),
    )
    expect(outcomes.some(({ code }) => code === 'origin-busy')).toBe(true)
    expect(internet.dialled.length).toBeLessThan(30)
    const { code, ms } = await failure(source, 'http://dead.test/')
    expect(code).toBe('origin-busy')
    expect(ms).toBeLessThan(20)
    expect(await fetchAll(source, 'http://alive.test/')).toMatchObject({ bytes: 3 })
    dead = false
    await delay(320)
    expect(await fetchAll(source, 'http://dead.test/')).toMatchObject({ bytes: 3 })
    expect(await fetchAll(source, 'http://dead.test/')).toMatchObject({ bytes: 3 })
  })
})

describe('[S-13] a connection', () => {
  test('is reused after a whole answer', async () => {
    const { source, origin } = await against(GOOD)
    for (let at = 0; at < 3; at++) await fetchAll(source, 'http://img.test/')
    expect(origin.connections).toBe(1)
  })

  test('that said more than it was asked never serves again', async () => {
    const { source, origin } = await against((socket, _head, before) => {
      socket.write(`${GOOD}${HEAD}Content-Length: 6\r\n\r\npoison`)
      if (before > 5) socket.destroy()
    })
    for (let at = 0; at < 3; at++)
      expect((await fetchAll(source, 'http://img.test/')).body.toString()).toBe('abc')
    expect(origin.connections).toBe(3)
  })

  test('that says more a little later never serves again', async () => {
    const { source, origin } = await against((socket) => {
      socket.write(GOOD)
      setTimeout(() => socket.write(`${HEAD}Content-Length: 6\r\n\r\npoison`), 20)
    })
    expect((await fetchAll(source, 'http://img.test/')).body.toString()).toBe('abc')
    await delay(60)
    expect((await fetchAll(source, 'http://img.test/')).body.toString()).toBe('abc')
    expect(origin.connections).toBe(2)
  })

  test('that was left in the middle of a body never serves again', async () => {
    const { source, origin } = await against(`${HEAD}Content-Length: 9\r\n\r\nabc`)
    const signal = new AbortController().signal
    const opened = await source.open('http://img.test/', { signal, maxBytes: 100 })
    if ('read' in opened) await opened.close()
    await vi.waitFor(() => expect(origin.open).toBe(0))
  })
})

describe('[S-14] TLS', () => {
  test('is checked for the name of the URL, which is also sent', async () => {
    const names: unknown[] = []
    const { source, internet, origin } = await against(
      (socket) => {
        names.push((socket as Socket & { servername?: string }).servername)
        socket.write(GOOD)
      },
      { tls: identities.good, ca: authority },
    )
    expect(await fetchAll(source, 'https://img.test/')).toMatchObject({ bytes: 3 })
    expect(names).toEqual(['img.test'])
    expect(internet.dialled).toEqual([PUBLIC_V4])
    expect(origin.heads[0]).toMatch(/host: img\.test/i)
  })

  test.for(['wrong', 'expired', 'self'] as const)('refuses a certificate: %s', async (name) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const { source, origin } = await against(GOOD, { tls: identities[name], ca: authority })
    const { code, reason, message } = await failure(source, 'https://img.test/')
    expect({ code, reason }).toEqual({ code: 'origin-failed', reason: 'tls' })
    expect(message).toBe('Cannot fetch this source: the origin cannot be reached')
    expect(origin.heads).toEqual([])
  })

  test('checks an address against the certificate, which names none', async () => {
    const { source } = await against(GOOD, { tls: identities.good, ca: authority })
    expect(await failure(source, 'https://1.1.1.1/')).toMatchObject({ reason: 'tls' })
  })
})

describe('[O-14] a lost connection', () => {
  test('is made once more when no answer had begun, after a lookup of its own', async () => {
    let lookups = 0
    const { source, internet } = await against(
      (socket, _head, before) => void (before === 0 ? socket.destroy() : socket.write(GOOD)),
      {
        resolve: async () => {
          lookups += 1
          return [PUBLIC_V4]
        },
      },
    )
    expect(await fetchAll(source, 'http://img.test/')).toMatchObject({ bytes: 3 })
    expect(internet.dialled.length).toBe(2)
    expect(lookups).toBe(2)
  })

  test('is not made again once a byte has come', async () => {
    const { source, internet } = await against((socket) => void socket.end(HEAD))
    expect(await failure(source)).toMatchObject({ code: 'origin-failed' })
    expect(internet.dialled.length).toBe(1)
  })

  test('is made again for no more than a tenth of all requests', async () => {
    const { source, internet } = await against((socket) => void socket.destroy(), {
      originBreakerFailures: 1000,
      originRate: 1000,
    })
    for (let at = 0; at < 50; at++) await failure(source)
    // One is free from the start.
    expect(internet.dialled.length).toBeLessThanOrEqual(50 + 5 + 1)
    expect(internet.dialled.length).toBeGreaterThan(50)
  })
})

describe('redirects', () => {
  test('end at the limit', async () => {
    const { source, origin } = await against(
      'HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n',
    )
    expect(await failure(source)).toMatchObject({ code: 'origin-failed', reason: 'redirects' })
    expect(origin.heads.length).toBe(4)
  })

  test('do not wait for the turn that they hold themselves', async () => {
    const { source } = await against(
      (socket, _head, before) =>
        void socket.write(
          before === 0 ? 'HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n' : GOOD,
        ),
      { originConnections: 1 },
    )
    expect(await fetchAll(source, 'http://img.test/')).toMatchObject({ bytes: 3 })
  })
})

/** Writes a few bytes at a time. */
function drip(socket: Socket, text: string, bytes: number, everyMs = 20): void {
  let at = 0
  const timer = setInterval(() => {
    if (socket.destroyed || at >= text.length) return clearInterval(timer)
    socket.write(text.slice(at, at + bytes))
    at += bytes
  }, everyMs)
}
