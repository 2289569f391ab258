import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { overHttp } from '../load.ts'
import { type Party, QUALITY, type StartOptions } from '../party.ts'
import { startServer } from '../processes.ts'

const MODULE = '/usr/lib/nginx/modules/ngx_http_image_filter_module.so'

/** nginx with its `image_filter` (libgd), one process per core. */
export async function startNginx({ folder, scratch, cores }: StartOptions): Promise<Party | string> {
  const found = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  if (found.error !== undefined || !existsSync(MODULE))
    return 'the packages nginx and libnginx-mod-http-image-filter are not installed'
  const server = await startServer((port) => {
    const file = join(scratch, 'nginx.conf')
    writeFileSync(file, configuration(port, folder, scratch, cores))
    return ['nginx', '-c', file, '-p', scratch]
  })
  return {
    name: 'nginx image_filter',
    version: /nginx\/([\d.]+)/.exec(found.stderr)?.[1] ?? '',
    pids: server.pids,
    refuses: ({ kind, format, files }) =>
      kind === 'upload'
        ? 'takes no uploads'
        : format === 'avif' || !files[0]?.endsWith(`.${format === 'jpeg' ? 'jpg' : format}`)
          ? 'cannot change the format, knows no AVIF'
          : undefined,
    ...overHttp(({ width, height }, file) =>
      height === undefined
        ? `${server.url}/width/${width}/${file}`
        : `${server.url}/cover/${width}x${height}/${file}`,
    ),
    stop: server.stop,
  }
}

function configuration(port: number, folder: string, scratch: string, cores: number): string {
  return `load_module ${MODULE};
daemon off; worker_processes ${cores}; error_log ${scratch}/error.log; pid ${scratch}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; types { image/jpeg jpg; image/png png; image/webp webp; }
  image_filter_buffer 32M; image_filter_jpeg_quality ${QUALITY.jpeg}; image_filter_webp_quality ${QUALITY.webp};
  server {
    listen 127.0.0.1:${port};
    location = / { return 204; }
    location ~ ^/width/(\\d+)/(.+)$ { alias ${folder}/$2; image_filter resize $1 -; }
    location ~ ^/cover/(\\d+)x(\\d+)/(.+)$ { alias ${folder}/$3; image_filter crop $1 $2; }
  }
}
`
}
