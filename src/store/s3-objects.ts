import type { S3ClientConfig } from '@aws-sdk/client-s3'

/** The part of an S3 client of the SDK that is used. */
export interface S3Client {
  // biome-ignore lint/suspicious/noExplicitAny: one method for all commands, typed in the SDK by fifty overloads.
  send(command: any, options: { readonly abortSignal: AbortSignal }): Promise<any>
  destroy(): void
}

export interface S3ObjectsOptions {
  readonly bucket: string
  readonly prefix: string
  readonly endpoint?: string
  readonly region?: string
  readonly pathStyle?: boolean
  readonly client?: S3Client
  readonly maxObjectBytes: number
}

/** The handful of requests that a store needs; names are without the prefix. All reject on anything unexpected. */
export interface S3Objects {
  /** @returns `undefined` when it is not there. */
  get(name: string, signal: AbortSignal): Promise<Buffer | undefined>
  has(name: string, signal: AbortSignal): Promise<boolean>
  put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  delete(names: readonly string[], signal: AbortSignal): Promise<void>
  /** The first names that begin so, up to 1000. */
  list(start: string, signal: AbortSignal): Promise<string[]>
  close(): void
}

/** @throws {Error} when the SDK is not installed. */
export async function createS3Objects(options: S3ObjectsOptions): Promise<S3Objects> {
  const { bucket: Bucket, prefix, maxObjectBytes } = options
  const sdk = await loadSdk()
  const client = options.client ?? (new sdk.S3Client(configOf(options)) as S3Client)
  const root = prefix === '' ? '' : `${prefix}/`
  const isMissing = (error: unknown): boolean =>
    (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404
  return {
    async get(name, signal) {
      try {
        const command = new sdk.GetObjectCommand({ Bucket, Key: root + name })
        const { Body, ContentLength } = await client.send(command, { abortSignal: signal })
        return await collect(Body, ContentLength, maxObjectBytes, signal)
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    async has(name, signal) {
      try {
        await client.send(new sdk.HeadObjectCommand({ Bucket, Key: root + name }), { abortSignal: signal })
        return true
      } catch (error) {
        if (isMissing(error)) return false
        throw error
      }
    },
    async put(name, bytes, signal) {
      const command = new sdk.PutObjectCommand({
        Bucket,
        Key: root + name,
        Body: bytes,
        ContentLength: bytes.length,
      })
      await client.send(command, { abortSignal: signal })
    },
    async delete(names, signal) {
      // One by one: services that speak S3 differ in what they ask of the request that deletes many.
      for (let at = 0; at < names.length; at += 16) {
        const some = names.slice(at, at + 16)
        const commands = some.map((name) => new sdk.DeleteObjectCommand({ Bucket, Key: root + name }))
        await Promise.all(commands.map((command) => client.send(command, { abortSignal: signal })))
      }
    },
    async list(start, signal) {
      const command = new sdk.ListObjectsV2Command({ Bucket, Prefix: root + start })
      const { Contents = [] } = await client.send(command, { abortSignal: signal })
      return (Contents as { Key?: string }[]).flatMap(({ Key }) =>
        Key === undefined ? [] : [Key.slice(root.length)],
      )
    },
    close() {
      // A client that was handed in belongs to whoever made it.
      if (options.client === undefined) client.destroy()
    },
  }
}

async function loadSdk(): Promise<typeof import('@aws-sdk/client-s3')> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (error) {
    throw new Error(
      'Cannot keep results in S3: the package is not installed, run "npm install @aws-sdk/client-s3"',
      { cause: error },
    )
  }
}

function configOf({ endpoint, region, pathStyle }: S3ObjectsOptions): S3ClientConfig {
  return {
    ...(endpoint !== undefined && { endpoint }),
    // Services other than AWS take any region, but the SDK wants one for its signature.
    ...(region !== undefined ? { region } : endpoint !== undefined && { region: 'us-east-1' }),
    ...(pathStyle !== undefined && { forcePathStyle: pathStyle }),
    // A frame has its own checksum, and not every service knows those of AWS.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // A cache that has to be asked twice is slower than making the result.
    maxAttempts: 1,
  }
}

/** The announced length is a claim: both it and what really comes are held to the bound. */
async function collect(
  body: AsyncIterable<Uint8Array>,
  announced: number | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  const refuse = (): never => {
    ;(body as { destroy?(): void }).destroy?.()
    throw new Error(`Cannot read a stored entry: it is over ${maxBytes} bytes`)
  }
  if ((announced ?? 0) > maxBytes) refuse()
  // The SDK's signal ends with the answer's head; a body that dries up is ended here.
  const stop = (): void => (body as { destroy?(error?: Error): void }).destroy?.(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const chunk of body) {
      length += chunk.length
      if (length > maxBytes) refuse()
      chunks.push(chunk)
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
  return Buffer.concat(chunks)
}
