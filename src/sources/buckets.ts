import { SluiceError } from '../errors/index.ts'
import { RESERVED_NAMES, SOURCE_NAME } from './names.ts'

interface CommonSettings {
  /** What references call it: `products` of `products:123.jpg`. */
  readonly name: string
  readonly bucket: string
  /** Only keys below it are served; empty, or with `/` at its end. */
  readonly prefix: string
  /**
   * Another one of this kind has the same bucket name, at another account or endpoint: `s3://bucket/…` would not say
   * which, so both answer to their own names only.
   */
  readonly shared: boolean
}

export interface S3BucketSettings extends CommonSettings {
  readonly kind: 's3'
  /** Default: the one of AWS for the region. */
  readonly endpoint: string | undefined
  readonly region: string
  readonly pathStyle: boolean
  /** Without them the SDK looks where it always does: environment, profile, instance, container. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** ARN of a role to assume. */
  readonly role: string | undefined
}

export interface GcsBucketSettings extends CommonSettings {
  readonly kind: 'gs'
  readonly endpoint: string | undefined
  readonly keyFile: string | undefined
}

export interface AzureBucketSettings extends CommonSettings {
  readonly kind: 'az'
  /** Of the account: `https://account.blob.core.windows.net`. */
  readonly endpoint: string
  readonly account: string | undefined
  readonly key: string | undefined
  /** Query of a shared access signature, without `?`. */
  readonly sas: string | undefined
}

/** One named bucket, as the environment describes it. Holds secrets: never to be logged as a whole. */
export type BucketSettings = S3BucketSettings | GcsBucketSettings | AzureBucketSettings

type Env = Readonly<Record<string, string | undefined>>
type Fields = ReadonlyMap<string, string>

/** Suffixes of each family of variables. */
const FAMILIES = {
  S3: ['BUCKET', 'ENDPOINT', 'REGION', 'PATH_STYLE', 'ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'ROLE', 'PREFIX'],
  GCS: ['BUCKET', 'ENDPOINT', 'KEY_FILE', 'PREFIX'],
  AZURE: ['CONTAINER', 'BUCKET', 'ENDPOINT', 'ACCOUNT', 'KEY', 'SAS', 'PREFIX'],
} as const

type Family = keyof typeof FAMILIES

/**
 * The named buckets of an environment: `SLUICE_S3_<NAME>_BUCKET` and its neighbours, `SLUICE_GCS_…`, `SLUICE_AZURE_…`.
 *
 * `SLUICE_S3_OLD_PHOTOS_BUCKET` makes the source `old-photos`. Empty variables count as not set.
 *
 * @throws {SluiceError} `config-invalid` that names the variable.
 *
 * @example
 * readBuckets({ SLUICE_S3_PRODUCTS_BUCKET: 'shop-products' })[0]?.name // 'products'
 */
export function readBuckets(env: Env): readonly BucketSettings[] {
  const groups = new Map<string, { family: Family; name: string; fields: Map<string, string> }>()
  for (const [variable, value] of Object.entries(env)) {
    const match = /^SLUICE_(S3|GCS|AZURE)_(.+)$/.exec(variable)
    if (match === null || value === undefined || value === '') continue
    const family = match[1] as Family
    const { name, suffix } = splitName(variable, family, match[2] as string)
    const group = groups.get(`${family}_${name}`) ?? { family, name, fields: new Map() }
    group.fields.set(suffix, value)
    groups.set(`${family}_${name}`, group)
  }
  const buckets = [...groups.values()].map(({ family, name, fields }) => readOne(family, name, fields, env))
  const names = new Set<string>()
  for (const { name } of buckets) {
    if (names.has(name)) throw invalid(`two buckets are called "${name}"`)
    names.add(name)
  }
  const same = (a: BucketSettings, b: BucketSettings) => a.kind === b.kind && a.bucket === b.bucket
  return buckets.map((one) => ({
    ...one,
    shared: buckets.some((other) => other !== one && same(one, other)),
  }))
}

function splitName(variable: string, family: Family, rest: string): { name: string; suffix: string } {
  const suffixes: readonly string[] = FAMILIES[family]
  // The longest one that fits: `_ACCESS_KEY_ID` before anything shorter.
  const suffix = suffixes
    .filter((candidate) => rest.endsWith(`_${candidate}`))
    .sort((a, b) => b.length - a.length)[0]
  if (suffix === undefined)
    throw invalid(
      `${variable}: no such setting, expected SLUICE_${family}_<NAME>_ and one of ${suffixes.join(', ')}`,
    )
  const name = rest
    .slice(0, -suffix.length - 1)
    .toLowerCase()
    .replaceAll('_', '-')
  if (!SOURCE_NAME.test(name))
    throw invalid(`${variable}: the name "${name}" is not letters, digits and "_", 32 at most`)
  if (RESERVED_NAMES.includes(name))
    throw invalid(`${variable}: a bucket may not be called ${RESERVED_NAMES.join(', ')}`)
  return { name, suffix }
}

function readOne(family: Family, name: string, fields: Fields, env: Env): BucketSettings {
  const variable = (suffix: string) => `SLUICE_${family}_${name.toUpperCase().replaceAll('-', '_')}_${suffix}`
  const common = readCommon(family, name, fields, variable)
  const endpoint = readEndpoint(variable('ENDPOINT'), fields.get('ENDPOINT'))
  switch (family) {
    case 'S3':
      return {
        kind: 's3',
        ...common,
        endpoint,
        region: fields.get('REGION') ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1'),
        // Servers of one's own rarely have a host name per bucket; AWS serves both.
        pathStyle: readFlag(variable('PATH_STYLE'), fields.get('PATH_STYLE')) ?? endpoint !== undefined,
        credentials: readPair(variable, fields),
        role: readRole(variable('ROLE'), fields.get('ROLE')),
      }
    case 'GCS':
      return { kind: 'gs', ...common, endpoint, keyFile: fields.get('KEY_FILE') }
    case 'AZURE':
      return { kind: 'az', ...common, ...readAccount(variable, endpoint, fields) }
  }
}

function readCommon(
  family: Family,
  name: string,
  fields: Fields,
  variable: (suffix: string) => string,
): CommonSettings {
  const wanted = family === 'AZURE' ? 'CONTAINER' : 'BUCKET'
  const alias = fields.get('BUCKET')
  const bucket = fields.get(wanted) ?? alias
  if (bucket === undefined)
    throw invalid(`${variable(wanted)} is missing: other settings of "${name}" are there`)
  if (alias !== undefined && alias !== bucket)
    throw invalid(`${variable('BUCKET')} and ${variable(wanted)} contradict each other`)
  // `$root` and `$web` are containers of Azure.
  if (!/^\$?[A-Za-z0-9][A-Za-z0-9._-]{0,221}$/.test(bucket))
    throw invalid(`${variable(wanted)}: "${bucket}" is no name of a bucket`)
  const prefix = fields.get('PREFIX') ?? ''
  if (prefix.startsWith('/') || prefix.split('/').some((part) => part === '..' || part === '.'))
    throw invalid(`${variable('PREFIX')}: expected the beginning of a key, such as "public/"`)
  const closed = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return { name, bucket, prefix: closed, shared: false }
}

function readEndpoint(variable: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw invalid(`${variable}: expected a URL such as "https://storage.example.com"`)
  // Not quoted: what stands there may be a secret.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw invalid(`${variable}: expected a URL without credentials, query and fragment`)
  return text.replace(/\/+$/, '')
}

function readFlag(variable: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw invalid(`${variable}: expected true or false`)
}

function readPair(variable: (suffix: string) => string, fields: Fields): S3BucketSettings['credentials'] {
  const accessKeyId = fields.get('ACCESS_KEY_ID')
  const secretAccessKey = fields.get('SECRET_ACCESS_KEY')
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey }
  const missing = accessKeyId === undefined ? 'ACCESS_KEY_ID' : 'SECRET_ACCESS_KEY'
  throw invalid(`${variable(missing)} is missing: an access key has two halves`)
}

function readRole(variable: string, text: string | undefined): string | undefined {
  if (text !== undefined && !/^arn:[a-z0-9-]+:iam::\d{12}:role\/\S+$/.test(text))
    throw invalid(`${variable}: expected a role such as "arn:aws:iam::123456789012:role/images"`)
  return text
}

function readAccount(
  variable: (suffix: string) => string,
  endpoint: string | undefined,
  fields: Fields,
): Pick<AzureBucketSettings, 'endpoint' | 'account' | 'key' | 'sas'> {
  const account = fields.get('ACCOUNT') ?? accountOf(endpoint)
  const key = fields.get('KEY')
  const sas = fields.get('SAS')?.replace(/^\?/, '')
  if (account !== undefined && !/^[a-z0-9]{3,24}$/.test(account))
    throw invalid(`${variable('ACCOUNT')}: expected 3 to 24 lower case letters and digits`)
  if (key !== undefined && sas !== undefined)
    throw invalid(`${variable('KEY')} and ${variable('SAS')} exclude each other`)
  if (key !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(key))
    throw invalid(`${variable('KEY')}: expected a key in base64`)
  if (sas !== undefined && !/(?:^|&)sig=/.test(sas))
    throw invalid(`${variable('SAS')}: expected the query of a shared access signature, with "sig="`)
  if (key !== undefined && account === undefined)
    throw invalid(`${variable('ACCOUNT')} is missing: the key needs it`)
  if (endpoint !== undefined) return { endpoint, account, key, sas }
  if (account === undefined) throw invalid(`${variable('ACCOUNT')} or ${variable('ENDPOINT')} is missing`)
  return { endpoint: `https://${account}.blob.core.windows.net`, account, key, sas }
}

/** `https://account.blob.…`, or `http://127.0.0.1:10000/account` as emulators have it. */
function accountOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined
  const { hostname, pathname } = new URL(endpoint)
  const host = /^([a-z0-9]{3,24})\.blob\./.exec(hostname)
  const path = /^\/([a-z0-9]{3,24})$/.exec(pathname)
  return host?.[1] ?? path?.[1]
}

function invalid(detail: string): SluiceError {
  return new SluiceError('config-invalid', detail)
}
