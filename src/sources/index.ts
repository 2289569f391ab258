import { SluiceError } from '../errors/index.ts'
import type { OpenedSource, Source } from './define.ts'
import { createFilesystemSource } from './filesystem.ts'
import type { SourcesOptions } from './options.ts'

export type { OpenedSource, Source } from './define.ts'
export { type SourcesOptions, sourcesOptions } from './options.ts'

export interface Sources {
  /** @throws {SluiceError} `source-not-found`, `source-forbidden`. */
  open(
    ref: string,
    options: { readonly signal: AbortSignal },
  ): Promise<OpenedSource & { readonly kind: string }>
}

/** All kinds of sources of this service behind one door. */
export function createSources(options: SourcesOptions): Sources {
  const all: readonly Source[] = [createFilesystemSource(options)]
  return {
    async open(ref, { signal }) {
      const source = all.find((candidate) => candidate.claims(ref))
      if (source === undefined)
        throw new SluiceError(
          'source-forbidden',
          'Cannot read this source: only files under a root are served',
        )
      return { ...(await source.open(ref, { signal })), kind: source.kind }
    },
  }
}
