import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Running } from '../../src/main.ts'
import { metric, startService, stopService } from '../helpers/service.ts'

const hasNginx = spawnSync('nginx', ['-v']).error === undefined
const AVIF = 'image/avif,image/webp,image/*,*/*;q=0.8'

/** A shared cache as people put it in front: nginx, whose status of each answer is in `X-Cache`. */
function configuration(port: number, upstream: string, folder: string): string {
  return `daemon off; worker_processes 1; error_log ${folder}/error.log; pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  proxy_cache_path ${folder}/cache keys_zone=pictures:1m max_size=64m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache pictures;
      proxy_cache_revalidate on;
      proxy_cache_use_stale updating error timeout http_500 http_502 http_503 http_504;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`
}

describe.skipIf(!hasNginx)('behind a shared cache (nginx proxy_cache)', () => {
  let service: Running
  let front: string
  let folder: string
  let nginx: ReturnType<typeof spawn>

  beforeAll(async () => {
    service = await startService({
      SLUICE_CACHE_MEMORY: '32MB',
      SLUICE_MAX_AGE: '2',
      SLUICE_STALE_WHILE_REVALIDATE: '0',
    })
    folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'))
    chmodSync(folder, 0o777)
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as { port: number }
    probe.close()
    await once(probe, 'close')
    const file = join(folder, 'nginx.conf')
    writeFileSync(file, configuration(port, service.url, folder))
    nginx = spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' })
    front = `http://127.0.0.1:${port}`
    await vi.waitFor(async () => expect((await fetch(`${front}/healthz`)).status).toBe(200), {
      timeout: 10_000,
    })
  })
  afterAll(async () => {
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
    await stopService(service)
    rmSync(folder, { recursive: true, force: true })
  })

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(front + path, { headers })
    const bytes = Buffer.from(await answer.arrayBuffer())
    return {
      status: answer.status,
      cache: answer.headers.get('x-cache'),
      type: answer.headers.get('content-type'),
      headers: answer.headers,
      bytes,
    }
  }

  test('keeps a picture of a fixed format once, whatever clients accept', async () => {
    const first = await get('/i/w=50,format=jpeg/lake.jpg', { accept: AVIF })
    const second = await get('/i/w=50,format=jpeg/lake.jpg', { accept: 'image/webp' })
    expect([first.status, first.cache, second.cache]).toEqual([200, 'MISS', 'HIT'])
    expect(second.bytes.equals(first.bytes)).toBe(true)
    expect(first.headers.get('vary')).toBeNull()
  })

  test('[C-02] keeps a negotiated picture by what clients accept, and mixes none of them up', async () => {
    const path = '/i/w=51,format=auto/lake.jpg'
    const types = []
    for (const accept of [AVIF, 'image/webp,*/*', '*/*', AVIF, 'image/webp,*/*', '*/*']) {
      const { type, cache } = await get(path, { accept })
      types.push([type, cache])
    }
    expect(types).toEqual([
      ['image/avif', 'MISS'],
      ['image/webp', 'MISS'],
      ['image/jpeg', 'MISS'],
      ['image/avif', 'HIT'],
      ['image/webp', 'HIT'],
      ['image/jpeg', 'HIT'],
    ])
  })

  test('[R-09] what has become stale is asked for again and answered 304, without a decode', async () => {
    const path = '/i/w=52,format=jpeg/lake.jpg'
    const first = await get(path)
    const decodes = await metric(service, 'sluice_decodes_total')
    await new Promise((resolve) => setTimeout(resolve, 3100))
    const again = await get(path)
    expect([first.cache, again.status, again.cache]).toEqual(['MISS', 200, 'REVALIDATED'])
    expect(again.bytes.equals(first.bytes)).toBe(true)
    expect(await metric(service, 'sluice_decodes_total')).toBe(decodes)
  })

  test('never keeps a problem', async () => {
    const answers = [await get('/i/w=0/lake.jpg'), await get('/i/w=0/lake.jpg'), await get('/i/w=9/none.jpg')]
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 404])
    expect(answers.map(({ cache }) => cache)).toEqual(['MISS', 'MISS', 'MISS'])
  })
})
