import { type Config, settings } from '../config/index.ts'
import { type Arguments, configOf } from './config-of.ts'

/** `sluice config`: every setting with its variable, value, unit and origin; secrets are not shown. */
export async function showConfig({ flags, own }: Arguments): Promise<number> {
  const { config, origins } = configOf(flags)
  const rows = settings.map(({ key, env, flag, unit, description, secret, later, schema }) => ({
    env,
    flag: `--${flag}`,
    value: shown(config[key], secret),
    default: shown(schema.safeParse(undefined).data, secret),
    unit,
    origin: origins.get(key) ?? 'default',
    ...(later ? { note: 'not in effect in this version' } : {}),
    description,
  }))
  if (own.json !== undefined) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    return 0
  }
  const widths = (['env', 'value', 'default', 'unit', 'origin'] as const).map(
    (column) =>
      [column, Math.min(36, Math.max(column.length, ...rows.map((row) => row[column].length)))] as const,
  )
  const line = (row: Readonly<Record<string, string>>) =>
    `${widths.map(([column, width]) => (row[column] ?? '').padEnd(width)).join('  ')}  ${row.description}${row.note === undefined ? '' : ` (${row.note})`}`
  const head = {
    env: 'variable',
    value: 'value',
    default: 'default',
    unit: 'unit',
    origin: 'from',
    description: 'meaning',
  }
  process.stdout.write(
    `${[head, ...rows].map((row) => line(row as Record<string, string>).trimEnd()).join('\n')}\n`,
  )
  return 0
}

function shown(value: Config[keyof Config] | unknown, secret: boolean): string {
  const empty = value === undefined || (Array.isArray(value) && value.length === 0)
  if (empty) return '-'
  if (secret) return '(set)'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
