import { describe, expect, test } from 'vitest'
import { canonicalRef, meansBucket, readKey } from './bucket-key.ts'
import { type BucketSettings, readBuckets } from './buckets.ts'
import { refuseSameNames } from './names.ts'

describe('readBuckets()', () => {
  test('reads every setting of a bucket, and names it after its variables', () => {
    const env = {
      SLUICE_S3_OLD_PHOTOS_BUCKET: 'photos-2019',
      SLUICE_S3_OLD_PHOTOS_ENDPOINT: 'https://storage.example.com/',
      SLUICE_S3_OLD_PHOTOS_REGION: 'eu-central-1',
      SLUICE_S3_OLD_PHOTOS_PATH_STYLE: 'false',
      SLUICE_S3_OLD_PHOTOS_ACCESS_KEY_ID: 'id',
      SLUICE_S3_OLD_PHOTOS_SECRET_ACCESS_KEY: 'secret',
      SLUICE_S3_OLD_PHOTOS_ROLE: 'arn:aws:iam::123456789012:role/images',
      SLUICE_S3_OLD_PHOTOS_PREFIX: 'public',
      SLUICE_S3_EMPTY_BUCKET: '',
      SLUICE_PORT: '8080',
    }
    expect(readBuckets(env)).toEqual([
      {
        kind: 's3',
        name: 'old-photos',
        bucket: 'photos-2019',
        endpoint: 'https://storage.example.com',
        region: 'eu-central-1',
        pathStyle: false,
        credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
        role: 'arn:aws:iam::123456789012:role/images',
        prefix: 'public/',
        shared: false,
      },
    ])
  })

  test('takes the account of Azure from either side', () => {
    const [byAccount] = readBuckets({ SLUICE_AZURE_A_CONTAINER: 'images', SLUICE_AZURE_A_ACCOUNT: 'shop' })
    expect(byAccount).toMatchObject({ kind: 'az', endpoint: 'https://shop.blob.core.windows.net' })
    const [byEndpoint] = readBuckets({
      SLUICE_AZURE_A_BUCKET: 'images',
      SLUICE_AZURE_A_ENDPOINT: 'http://127.0.0.1:10000/shop',
      SLUICE_AZURE_A_KEY: 'c2VjcmV0',
    })
    expect(byEndpoint).toMatchObject({ bucket: 'images', account: 'shop', key: 'c2VjcmV0' })
  })

  test('prefers path style where the endpoint is the operator’s own', () => {
    const of = (env: Record<string, string>) => readBuckets({ SLUICE_S3_A_BUCKET: 'images', ...env })[0]
    expect(of({})).toMatchObject({ pathStyle: false, region: 'us-east-1' })
    expect(of({ SLUICE_S3_A_ENDPOINT: 'http://minio:9000' })).toMatchObject({ pathStyle: true })
    expect(of({ AWS_REGION: 'eu-west-1' })).toMatchObject({ region: 'eu-west-1' })
  })

  test.for([
    ['an unknown suffix', { SLUICE_S3_A_BUKCET: 'x' }, 'SLUICE_S3_A_BUKCET'],
    ['a variable without a name', { SLUICE_S3_BUCKET: 'x' }, 'SLUICE_S3_BUCKET'],
    ['a suffix of another family', { SLUICE_GCS_A_REGION: 'x' }, 'SLUICE_GCS_A_REGION'],
    ['a bucket that is missing', { SLUICE_S3_A_B_REGION: 'x' }, 'SLUICE_S3_A_B_BUCKET'],
    ['a container that is missing', { SLUICE_AZURE_A_ACCOUNT: 'abc' }, 'SLUICE_AZURE_A_CONTAINER'],
    ['a reserved name', { SLUICE_S3_DEFAULT_BUCKET: 'x' }, 'SLUICE_S3_DEFAULT_BUCKET'],
    ['a name with odd letters', { 'SLUICE_S3_A.B_BUCKET': 'x' }, 'SLUICE_S3_A.B_BUCKET'],
    ['a bucket with a path', { SLUICE_S3_A_BUCKET: 'x/y' }, 'SLUICE_S3_A_BUCKET'],
    [
      'an endpoint that is no URL',
      { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_ENDPOINT: 'minio' },
      'SLUICE_S3_A_ENDPOINT',
    ],
    [
      'half an access key',
      { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_ACCESS_KEY_ID: 'id' },
      'SLUICE_S3_A_SECRET_ACCESS_KEY',
    ],
    [
      'a flag that is none',
      { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_PATH_STYLE: 'yes' },
      'SLUICE_S3_A_PATH_STYLE',
    ],
    ['a role that is none', { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_ROLE: 'admin' }, 'SLUICE_S3_A_ROLE'],
    ['a prefix that climbs', { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_PREFIX: 'a/../' }, 'SLUICE_S3_A_PREFIX'],
    ['no account', { SLUICE_AZURE_A_CONTAINER: 'x' }, 'SLUICE_AZURE_A_ACCOUNT'],
    [
      'a signature that is none',
      { SLUICE_AZURE_A_CONTAINER: 'x', SLUICE_AZURE_A_ACCOUNT: 'abc', SLUICE_AZURE_A_SAS: 'x' },
      'SLUICE_AZURE_A_SAS',
    ],
    ['one name for two buckets', { SLUICE_S3_A_BUCKET: 'x', SLUICE_GCS_A_BUCKET: 'y' }, 'called "a"'],
  ] as const)('refuses %s', ([, env, text]) => {
    expect(() => readBuckets(env)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(text) }),
    )
  })

  test('never quotes an endpoint that holds a secret', () => {
    const env = { SLUICE_S3_A_BUCKET: 'x', SLUICE_S3_A_ENDPOINT: 'https://me:hunter2@example.com' }
    expect(() => readBuckets(env)).toThrow(/^(?!.*hunter2).*SLUICE_S3_A_ENDPOINT/)
  })
})

describe('refuseSameNames()', () => {
  test('names both owners', () => {
    expect(() => refuseSameNames({ SLUICE_ROOTS: ['a', 'b'], SLUICE_SOURCES: ['c'] })).not.toThrow()
    expect(() => refuseSameNames({ SLUICE_ROOTS: ['a', 'b'], SLUICE_SOURCES: ['b'] })).toThrow(
      'SLUICE_SOURCES: the name "b" is taken by SLUICE_ROOTS',
    )
  })
})

describe('keys of buckets', () => {
  const bucketOf = (env: Record<string, string>) => readBuckets(env)[0] as BucketSettings
  const products = bucketOf({ SLUICE_S3_PRODUCTS_BUCKET: 'shop' })

  test.for([
    ['products:123.jpg', 's3://shop/123.jpg'],
    ['s3://shop/123.jpg', 's3://shop/123.jpg'],
    ['products:a/b c%20d.jpg', 's3://shop/a/b c%20d.jpg'],
    ['products:a.jpg?versionId=abc.1', 's3://shop/a.jpg?versionId=abc.1'],
    ['products:what?.jpg', 's3://shop/what?.jpg'],
  ] as const)('%s is %s', ([ref, canonical]) => {
    expect(meansBucket(ref, products)).toBe(true)
    expect(canonicalRef(readKey(ref, products), products)).toBe(canonical)
  })

  test.for([
    's3://shop',
    's3://shop2/a',
    's3://sho/p/a',
    'gs://shop/a',
    'product:a',
    'S3://shop/a',
    'products',
  ])('[S-16] %s is none of this bucket', (ref) => {
    expect(meansBucket(ref, products)).toBe(false)
  })

  test.for([
    ['products:../a', 'source-forbidden'],
    ['products:a/..', 'source-forbidden'],
    ['products:a\\..\\b', 'source-forbidden'],
    ['products:./a', 'source-forbidden'],
    ['products:a\0', 'source-forbidden'],
    ['products:a\r\nHost: b', 'source-forbidden'],
    ['products:a\u0085', 'source-forbidden'],
    ['products:\ud800', 'source-forbidden'],
    ['products:a?versionId=', 'source-forbidden'],
    ['products:a?versionId=x y', 'source-forbidden'],
    ['products:', 'source-not-found'],
    ['products:/a', 'source-not-found'],
    ['products:a/', 'source-not-found'],
    [`products:${'ü'.repeat(513)}`, 'source-not-found'],
  ] as const)('[S-16] %j is %s', ([ref, code]) => {
    expect(() => readKey(ref, products)).toThrow(expect.objectContaining({ code }))
  })

  test('a bucket name at two endpoints answers to names only', () => {
    const two = readBuckets({
      SLUICE_S3_NEW_BUCKET: 'shop',
      SLUICE_S3_OLD_BUCKET: 'shop',
      SLUICE_S3_OLD_ENDPOINT: 'https://old.example.com',
    })
    expect(two.map((one) => meansBucket('s3://shop/a', one))).toEqual([false, false])
    expect(two.map((one) => canonicalRef({ key: 'a', versionId: undefined }, one))).toEqual([
      'new:a',
      'old:a',
    ])
  })
})
