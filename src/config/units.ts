const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/**
 * Bytes of a text such as `256MB`, `1.5GiB` or `1048576`; powers of ten and of two by their names.
 *
 * @returns `undefined` when it is no size.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text.trim())
  const factor = FACTORS[match?.[2] ?? '?']
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor)
}

/** Milliseconds of a text such as `1h`, `30m`, `10s` or `500` (ms). */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/.exec(text.trim())
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? 'ms']
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor
}
