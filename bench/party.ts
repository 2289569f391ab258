/** What one party is asked to do, the same for all. */
export interface Cell {
  readonly name: string
  /** Requests in flight. */
  readonly clients: number
  /** Several copies of one photo under different names: no party may answer from what it did before. */
  readonly files: readonly string[]
  /** Where the files lie. */
  readonly folder: string
  readonly kind: 'resize' | 'upload'
  /** Box to cover, px; without a height the width alone is given. Uploads keep their size. */
  readonly width?: number
  readonly height?: number
  readonly format: 'jpeg' | 'png' | 'webp' | 'avif'
  /** What a right answer measures, px. */
  readonly expected: { readonly width: number; readonly height: number }
}

/** One round of one party. */
export interface Sample {
  /** Right answers. */
  readonly done: number
  /** Refusals: 503 with `Retry-After`. Everything else ends the bench. */
  readonly refused: number
  readonly seconds: number
  /** Milliseconds each. */
  readonly latencies: readonly number[]
  /** CPU of the load generator, share of one core. */
  readonly generatorCpu: number
}

/** One who makes the pictures; started once, asked in turns with the others. */
export interface Party {
  readonly name: string
  readonly version: string
  /** Processes whose memory counts. */
  pids(): readonly number[]
  /** Whether it can do this at all; a reason when not. */
  refuses(cell: Cell): string | undefined
  /** One answer, to be checked before anything is measured. */
  once(cell: Cell): Promise<Uint8Array>
  run(cell: Cell, milliseconds: number): Promise<Sample>
  stop(): Promise<void>
}

/** Starts a party, or says in a word why it is not there. */
export type StartParty = (options: StartOptions) => Promise<Party | string>

export interface StartOptions {
  /** Photos of all cells. */
  readonly folder: string
  /** Empty folder for whatever a party needs to write. */
  readonly scratch: string
  readonly cores: number
}

/** JPEG and WebP and AVIF qualities of every party and cell. */
export const QUALITY = { jpeg: 80, webp: 75, avif: 65 } as const
