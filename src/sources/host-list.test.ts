import { describe, expect, test } from 'vitest'
import { isOff, matchHost, parseHttpSources } from './host-list.ts'
import { parseHttpUrl } from './http-url.ts'

const listed = (text: string) => parseHttpSources(text, { loopback: false })
const match = (text: string, url: string) => matchHost(listed(text), parseHttpUrl(url))

describe('parseHttpSources()', () => {
  test('makes auto any public host on loopback, and nothing elsewhere', () => {
    expect(parseHttpSources('auto', { loopback: true })).toEqual({ anyPublic: true, listed: [] })
    expect(isOff(parseHttpSources('auto', { loopback: false }))).toBe(true)
    expect(isOff(listed('off'))).toBe(true)
  })

  test.for([
    ['', /an entry is empty/],
    ['a.example.com,', /an entry is empty/],
    ['*', /write true/],
    ['https://img.example.com', /write the host alone/],
    ['img.example.com/path', /write the host alone/],
    ['img.example.com:0', /port must be/],
    ['img.example.com:65536', /port must be/],
    ['127.0.0.1', /listed with its port: 127\.0\.0\.1:80/],
    ['10.0.0.0/8', /write the host alone/],
    ['127.1:80', /no host name or address/],
    ['localhost', /listed with its port/],
    ['minio', /listed with its port/],
    ['*.internal', /one by one/],
    ['*.10.0.0.1', /no wildcard|no host name/],
    ['169.254.169.254:80', /never read/],
    ['::1:80', /brackets/],
    ['off,a.example.com', /stands alone/],
  ] as const)('refuses "%s" with a line that names the setting', ([text, why]) => {
    expect(() => listed(text)).toThrow(why)
    expect(() => listed(text)).toThrow(/^SLUICE_HTTP_SOURCES: cannot use "/)
  })
})

describe('matchHost()', () => {
  test.for([
    ['img.example.com', 'https://img.example.com/a', 'public'],
    ['img.example.com', 'http://IMG.example.com./a', 'public'],
    ['img.example.com', 'https://other.example.com/a', 'refused'],
    ['img.example.com', 'https://img.example.com:8443/a', 'refused'],
    ['img.example.com:8443', 'https://img.example.com:8443/a', 'exact'],
    ['img.example.com:8443', 'https://img.example.com/a', 'refused'],
    ['*.example.com', 'https://a.b.example.com/a', 'public'],
    ['*.example.com', 'https://example.com/a', 'refused'],
    ['*.example.com', 'https://evilexample.com/a', 'refused'],
    ['*.example.com:8443', 'https://a.example.com:8443/a', 'public'],
    ['bücher.example', 'https://xn--bcher-kva.example/a', 'public'],
    ['true', 'https://any.example.com/a', 'public'],
    ['true', 'https://any.example.com:8443/a', 'refused'],
    ['true, minio:9000', 'http://minio:9000/a', 'exact'],
    ['[::1]:9000', 'http://[::1]:9000/a', 'exact'],
    ['127.0.0.1:9000', 'http://127.0.0.1:9001/a', 'refused'],
    ['off', 'https://img.example.com/a', 'refused'],
  ] as const)('with "%s" says of %s: %s', ([text, url, verdict]) => {
    expect(match(text, url)).toBe(verdict)
  })
})
