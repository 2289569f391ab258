import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/errors/index.ts'
import { sniff } from '../../src/recipe/index.ts'
import { parseHttpSources } from '../../src/sources/host-list.ts'
import type { Connect } from '../../src/sources/pinned-connect.ts'
import type { Resolve } from '../../src/sources/resolve-name.ts'
import { authority, identities } from '../helpers/certificates.ts'
import {
  countingTelemetry,
  fakeInternet,
  fetchAll,
  type ImageOrigin,
  type Listener,
  PIXEL,
  PUBLIC_V4,
  startCanary,
  startImageOrigin,
  startRawOrigin,
  testHttpSource,
} from '../helpers/origin.ts'

/** Hostile URLs beside the project; a stranger's clone has none. */
const casesPath = fileURLToPath(new URL('../../../shared/ssrf-cases.tsv', import.meta.url))
const hasCases = existsSync(casesPath)
const rows = hasCases ? readCases(readFileSync(casesPath, 'utf8')) : []

interface Row {
  readonly line: number
  readonly url: string
  readonly answers: string
  readonly allowed: boolean
  readonly why: string
}

let origin: ImageOrigin
let secure: Listener
let canaries: readonly Listener[]

beforeAll(async () => {
  origin = await startImageOrigin()
  // Redirects and pictures over TLS too, by the name that its certificate has.
  secure = await startRawOrigin(
    (socket, head) => {
      const to = /to=([^ &]+)/.exec(head.split('\r\n', 1)[0] ?? '')?.[1]
      socket.end(
        to === undefined
          ? `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc`
          : `HTTP/1.1 302 Found\r\nLocation: ${decodeURIComponent(to)}\r\nContent-Length: 0\r\n\r\n`,
      )
    },
    { tls: identities.good },
  )
  canaries = [await startCanary('127.0.0.1'), await startCanary('::1')]
})
afterAll(() => Promise.all([origin, secure, ...canaries].map((listener) => listener.close())))

const canaryConnections = () => canaries.reduce((sum, { connections }) => sum + connections, 0)

describe.skipIf(!hasCases)('[S-01] [S-02] the list of hostile URLs', () => {
  test('has all its rows', () => expect(rows.length).toBe(224))

  test.concurrent.for(rows.map((row) => [row.line, row.why, row] as const))(
    'line %i: %s',
    async ([, , row]) => {
      const { resolve, lookups } = fakeResolver(row.answers)
      const internet = fakeInternet((_address, port) => (port === 443 ? secure.port : origin.port))
      // What would reach this machine goes to the canary, whatever the port.
      const connect: Connect = (target) =>
        internet.connect({ ...target, port: target.address.startsWith('93.') ? target.port : portOf(target) })
      const source = testHttpSource({ resolve, connect, ca: authority, originDnsTimeoutMs: 200 })
      const before = canaryConnections()
      const seen = origin.requests.length
      try {
        const outcome = await fetchAll(source, row.url).catch((error: unknown) => error)
        if (row.answers.startsWith('keepalive')) {
          expect(outcome).toMatchObject({ body: PIXEL })
          expect(await fetchAll(source, row.url)).toMatchObject({ body: PIXEL })
          expect(internet.dialled).toEqual([PUBLIC_V4])
        }
        if (row.why.includes('TLS handshake fails as an origin error')) {
          expect(outcome).toMatchObject({ code: 'origin-failed', failure: 'tls' })
        } else if (row.allowed) {
          expect(outcome).not.toBeInstanceOf(Error)
        } else if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(SluiceError)
          expect((outcome as SluiceError).code).toMatch(/^(?:source-forbidden|origin-failed|origin-timeout)$/)
        } else {
          // A page that asks a browser to go elsewhere: it is read, seen to be no image, and never followed.
          expect(sniff((outcome as { body: Buffer }).body)).toBeUndefined()
        }
        expect(canaryConnections() - before).toBe(0)
        expect(internet.dialled.filter((address) => !/^(?:93\.184|2606:|1\.1\.1\.1)/.test(address))).toEqual(
          [],
        )
        const requests = origin.requests.slice(seen)
        expect(requests.some(({ headers }) => 'x-a' in headers)).toBe(false)
        // One lookup for each hop and each retry; a reused connection has none.
        expect(lookups.length).toBeLessThanOrEqual(Math.max(1, internet.dialled.length + 1))
        if (row.allowed && !/\d\.\d\.\d\.\d|\[/.test(new URL(row.url).host))
          expect(lookups.length).toBe(internet.dialled.length)
      } finally {
        await source.close?.()
      }
    },
  )

  function portOf({ address, port }: { readonly address: string; readonly port: number }): number {
    return address === '127.0.0.1' ? (canaries[0]?.port ?? port) : (canaries[1]?.port ?? port)
  }
})

describe('addresses as hosts', () => {
  test('[S-02] are checked although no lookup ever sees them', async () => {
    const lookups: string[] = []
    const internet = fakeInternet(origin.port)
    const source = testHttpSource({
      connect: internet.connect,
      resolve: async (name) => {
        lookups.push(name)
        return [PUBLIC_V4]
      },
    })
    for (const host of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '[::1]', '[::ffff:1.1.1.1]'])
      await expect(fetchAll(source, `http://${host}/`)).rejects.toMatchObject({ denial: expect.any(String) })
    expect(await fetchAll(source, 'http://1.1.1.1/a.png')).toMatchObject({ body: PIXEL })
    expect(lookups).toEqual([])
    expect(internet.dialled).toEqual(['1.1.1.1'])
    await source.close?.()
  })

  test('[S-03] are compared with the peer before a byte is written', async () => {
    const trap = await startRawOrigin((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nsecret'))
    const { connect } = fakeInternet(0)
    const source = testHttpSource({ connect: () => connect({ address: '127.0.0.1', port: trap.port }) })
    await expect(fetchAll(source, 'http://img.test/')).rejects.toMatchObject({ denial: 'peer' })
    expect(trap.heads).toEqual([])
    await source.close?.()
    await trap.close()
  })
})

describe('a denial', () => {
  test('[S-05] tells nothing of what lies behind the name, by its words or its time', async () => {
    const telemetry = countingTelemetry()
    const { port } = canaries[0] as Listener
    const source = testHttpSource({
      telemetry,
      resolve: async (name) => [name.startsWith('open') ? '127.0.0.1' : '10.0.0.1'],
    })
    const targets = [
      'http://127.0.0.1/',
      `http://127.0.0.1:${port}/`,
      'http://127.0.0.1:1/',
      'http://10.255.255.1/',
      'http://169.254.169.254/latest/meta-data/',
      'http://[::1]/',
      'http://2130706433/',
      'http://open.example.com/',
      'http://closed.example.com/',
      'http://img.test:6379/',
      'http://a:b@img.test/',
      'http://x.internal/',
      'http://nothing.internal/',
      'http://localhost/',
      'http://intranet/',
      'http://printer.local/',
      'http://192.168.1.1/',
      'http://[fd00::1]/',
      'http://168.63.129.16/',
      'http://0/',
    ]
    const answers = []
    for (const target of targets) {
      const startedAtMs = performance.now()
      const error = await fetchAll(source, target).catch((thrown: SluiceError) => thrown)
      const { code, message, facts, internal } = error as SluiceError
      answers.push({ text: JSON.stringify({ code, message, facts }), ms: performance.now() - startedAtMs })
      expect(internal).toMatch(/^[a-z]+: ./)
    }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    for (const { ms } of answers) {
      expect(ms).toBeGreaterThanOrEqual(50)
      expect(ms).toBeLessThan(100)
    }
    const denials = [...telemetry.counts].filter(([name]) => name.startsWith('sluice_source_denials_total'))
    expect(denials.reduce((sum, [, count]) => sum + count, 0)).toBe(targets.length)
    await source.close?.()
  })

  test('says the same of names without an address and of hosts that do not answer', async () => {
    const { connect } = fakeInternet(1)
    const source = testHttpSource({
      connect,
      resolve: async (name) => {
        if (name === 'nx.test') throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
        return [PUBLIC_V4]
      },
    })
    const [nx, closed] = await Promise.all(
      ['http://nx.test/', 'http://closed.test/'].map((ref) =>
        fetchAll(source, ref).catch((error: SluiceError) => ({ code: error.code, text: error.message })),
      ),
    )
    expect(nx).toEqual(closed)
    expect(nx).toMatchObject({ code: 'origin-failed' })
    await source.close?.()
  })
})

describe('what the operator lists', () => {
  test('may lie on loopback when it is listed as host:port, and nothing beside it', async () => {
    const local = new URL(origin.url)
    const hosts = parseHttpSources(`${local.host}, localhost:${local.port}`, { loopback: false })
    const source = testHttpSource({ hosts, resolve: undefined })
    expect(await fetchAll(source, `${origin.url}/a.png`)).toMatchObject({ body: PIXEL })
    expect(await fetchAll(source, `http://localhost:${local.port}/a.png`)).toMatchObject({ body: PIXEL })
    await expect(fetchAll(source, 'http://127.0.0.1:1/')).rejects.toMatchObject({ denial: 'port' })
    await expect(fetchAll(source, 'http://127.0.0.1/')).rejects.toMatchObject({ denial: 'host' })
    await source.close?.()
  })

  test('is never a metadata service, whatever a listed name resolves to', async () => {
    const hosts = parseHttpSources('files.corp.example:9000', { loopback: false })
    const source = testHttpSource({ hosts, resolve: async () => ['169.254.169.254'] })
    await expect(fetchAll(source, 'http://files.corp.example:9000/')).rejects.toMatchObject({
      denial: 'address',
    })
    await source.close?.()
  })
})

function readCases(text: string): readonly Row[] {
  const plain = (cell: string) =>
    cell.replace(/\\([tnr\\])/g, (_, letter: string) => ({ t: '\t', n: '\n', r: '\r' })[letter] ?? '\\')
  return text
    .split('\n')
    .map((line, at) => ({ cells: line.split('\t'), line: at + 1 }))
    .filter(({ cells, line }) => line > 1 && cells.length >= 4)
    .map(({ cells: [url = '', answers = '', expected, why = ''], line }) => ({
      line,
      url: plain(url),
      answers,
      allowed: expected === 'allowed',
      why,
    }))
}

/** `name=a,b` one set of answers, `a|b` one after the other, `;` between names. */
function fakeResolver(column: string): { readonly resolve: Resolve; readonly lookups: readonly string[] } {
  const lookups: string[] = []
  const sets = new Map(
    column
      .split(';')
      .filter((part) => part.includes('='))
      .map((part) => {
        const at = part.indexOf('=')
        return [part.slice(0, at).replace(/\.$/, ''), part.slice(at + 1).split('|')] as const
      }),
  )
  const resolve: Resolve = (name) => {
    const before = lookups.filter((other) => other === name).length
    lookups.push(name)
    const answers = sets.get(name)
    const answer = answers?.[Math.min(before, answers.length - 1)] ?? 'NXDOMAIN'
    if (answer === 'TIMEOUT') return new Promise(() => {})
    if (answer === 'NXDOMAIN')
      return Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
    return Promise.resolve(answer.split(',').filter((address) => !address.startsWith('CNAME:')))
  }
  return { resolve, lookups }
}
