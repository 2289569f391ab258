import { encodeValue } from '../dialects/index.ts'
import { SluiceError } from '../errors/index.ts'
import { type Arguments, configOf } from './config-of.ts'

/** `sluice purge …`: asks the admin listener of a running service; prints how many entries are gone. */
export async function purge({ positional, flags, own }: Arguments): Promise<number> {
  const { config } = configOf(flags)
  const { adminHost, adminPort, adminToken } = config
  if (adminPort === 'off' || adminHost === 'off')
    throw new SluiceError('config-invalid', 'SLUICE_ADMIN_PORT: purging needs the admin listener')
  if (adminToken === undefined)
    throw new SluiceError('config-invalid', 'SLUICE_ADMIN_TOKEN: purging needs the token of the service')
  const host = adminHost.includes(':') ? `[${adminHost}]` : adminHost
  const answer = await fetch(`http://${host}:${adminPort}/cache${pathOf(positional, own)}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${adminToken}` },
    signal: AbortSignal.timeout(60_000),
  })
  const said = (await answer.json()) as { purged?: number; detail?: string; code?: string }
  if (!answer.ok)
    throw new SluiceError(
      'internal',
      `The service answered ${answer.status}: ${said.detail ?? said.code ?? ''}`,
    )
  process.stdout.write(`${said.purged}\n`)
  return 0
}

/** @throws {SluiceError} `parameter-invalid` unless exactly one thing is named. */
function pathOf(positional: readonly string[], own: Arguments['own']): string {
  const { source, prefix, tag, all } = own
  const [url] = positional
  const wishes = [url, source, prefix, tag, all].filter((wish) => wish !== undefined)
  if (wishes.length !== 1 || positional.length > 1)
    throw new SluiceError(
      'parameter-invalid',
      'Expected one of: sluice purge <URL or path> | --source … | --prefix … | --tag … | --all',
    )
  if (url !== undefined) return url.replace(/^https?:\/\/[^/]+/, '')
  if (source !== undefined) return `/source/${encodeSource(source)}`
  if (prefix !== undefined) return `/prefix/${encodeSource(prefix)}`
  return tag === undefined ? '' : `/tag/${encodeURIComponent(tag)}`
}

/** As in any other URL: segments of files are encoded, whole URLs are encoded whole. */
function encodeSource(source: string): string {
  return source.includes('://') ? encodeValue(source) : source.split('/').map(encodeValue).join('/')
}
