import { parseArgs } from 'node:util'
import { settings } from '../config/index.ts'
import { SluiceError } from '../errors/index.ts'
import { nearest } from '../recipe/index.ts'
import type { Arguments } from './config-of.ts'

/*
 * The command line: `sluice <command>`. Commands load what they need when they run, so that `--help` is quick.
 */

/** Status for a wrong configuration. @see sysexits(3), EX_CONFIG */
const EXIT_CONFIG = 78

const COMMANDS: Readonly<
  Record<string, { readonly summary: string; readonly usage: string; run(args: string[]): Promise<number> }>
> = {
  serve: {
    summary: 'Start the service.',
    usage: `sluice serve [--port 8080] [--root ./photos] [--memory-budget 256MB] [--<setting> <value> …]

Every setting of "sluice config" is a flag here.

Examples:
  sluice serve --port 9000 --root ./photos
  SLUICE_KEYS=<hex> sluice serve --host 0.0.0.0`,
    run: async (args) => (await import('./serve.ts')).serve(readFlags(args).flags),
  },
  transform: {
    summary: 'Make one picture: a file or stdin in, a file or stdout out.',
    usage: `sluice transform <in> <recipe> [-o <out>] [--<setting> <value> …]

<in> and <out> may be "-" for stdin and stdout. <recipe> is the text of a URL: options joined by ",",
stages by ";", "_" for none. The same engine, limits and isolation as the service.

Examples:
  sluice transform cat.jpg w=400,format=webp -o cat.webp
  sluice transform - "w=800,h=600,fit=cover,pos=smart" -o - < in.jpg > out.jpg`,
    run: async (args) => (await import('./transform.ts')).transform(readFlags(args, ['output'])),
  },
  info: {
    summary: 'Print the facts of an image as JSON.',
    usage: `sluice info <file> [--<setting> <value> …]

Example:
  sluice info cat.jpg`,
    run: async (args) => (await import('./transform.ts')).info(readFlags(args)),
  },
  config: {
    summary: 'Print every setting, its variable, default, unit and where the value came from.',
    usage: `sluice config [--json] [--<setting> <value> …]`,
    run: async (args) => (await import('./show-config.ts')).showConfig(readFlags(args, [], ['json'])),
  },
  sign: {
    summary: 'Sign URLs with the first key of SLUICE_KEYS.',
    usage: `sluice sign <path or URL> … [--expires 1h] [--policy <json>] [--encrypt-source]

Prints each in the same form, signed, one a line and alone on stdout.

  --expires 30m     how long it is valid: s, m, h, d
  --policy <json>   sign bounds instead of the URL; inside them everything else may be changed freely:
                    "src" or "prefix" of the source, "maxW", "maxH" (device px), "formats", "presets",
                    "exp" (Unix seconds). Without a path: the text for "p=" alone
  --encrypt-source  hide the source behind the key of SLUICE_SOURCE_KEY

Examples:
  sluice sign /i/w=400/cat.jpg --expires 1h
  sluice sign --policy '{"prefix":"photos","maxW":1600}' /i/w=400/photos/cat.jpg`,
    run: async (args) =>
      (await import('./sign-url.ts')).signUrl(readFlags(args, ['expires', 'policy'], ['encrypt-source'])),
  },
  purge: {
    summary: 'Throw away what a running service keeps.',
    usage: `sluice purge <URL or path> | --source <source> | --prefix <source> | --tag <tag> | --all

Asks the admin listener (SLUICE_ADMIN_HOST, SLUICE_ADMIN_PORT) with SLUICE_ADMIN_TOKEN and prints how many entries
are gone.

  <URL or path>     the pictures of that URL, in every format it was answered with
  --source <source> all pictures of a source, and what is kept of the source itself
  --prefix <source> the same for all sources that begin so
  --tag <tag>       pictures by format:<format> or preset:<name>
  --all             everything

Examples:
  sluice purge /i/w=400/cat.jpg
  sluice purge --prefix https://shop.example.com/products/`,
    run: async (args) =>
      (await import('./purge.ts')).purge(readFlags(args, ['source', 'prefix', 'tag'], ['all'])),
  },
}

process.exitCode = await main(process.argv.slice(2)).catch(report)

async function main(argv: string[]): Promise<number> {
  const [name = '', ...args] = argv
  if (name === '--version' || name === '-v') return print((await import('../main.ts')).version)
  if (name === '' || name === '--help' || name === '-h' || name === 'help') return print(overview())
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    const near = nearest(name, Object.keys(COMMANDS))
    process.stderr.write(
      `sluice: unknown command "${name}"${near === undefined ? '' : `: did you mean "${near}"?`}\n\n${overview()}\n`,
    )
    return 2
  }
  if (args.includes('--help') || args.includes('-h'))
    return print(
      `${command.summary}\n\nUsage: ${command.usage}${name === 'serve' ? `\n\nSettings:\n${settingList()}` : ''}`,
    )
  return command.run(args)
}

function overview(): string {
  const list = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  return `Sluice: image processing inside a fixed memory budget.\n\nUsage: sluice <command> [options]\n\nCommands:\n${list.join('\n')}\n\n"sluice <command> --help" tells more.`
}

function settingList(): string {
  return settings
    .map(({ flag, env, description }) => `  --${flag.padEnd(24)} ${env.padEnd(32)} ${description}`)
    .join('\n')
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

/**
 * Splits arguments; settings are flags by the name of their variable. Unknown names stay in the flags: the
 * loader of settings refuses them and knows the nearest one.
 */
function readFlags(
  args: readonly string[],
  own: readonly string[] = [],
  switches: readonly string[] = [],
): Arguments {
  const texts = [...own, ...settings.map(({ flag }) => flag), 'config']
  const { values, positionals } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    options: {
      ...Object.fromEntries(texts.map((name) => [name, { type: 'string' as const }])),
      ...Object.fromEntries(switches.map((name) => [name, { type: 'boolean' as const }])),
      ...(own.includes('output') ? { output: { type: 'string' as const, short: 'o' } } : {}),
    },
  })
  const flags: Record<string, string> = {}
  const mine: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) {
    if (texts.includes(name) && typeof value !== 'string')
      throw new SluiceError('config-invalid', `Cannot use --${name}: it needs a value`)
    if (own.includes(name) || switches.includes(name)) mine[name] = String(value)
    else flags[name] = String(value)
  }
  return { positional: positionals, flags, own: mine }
}

/** One line on stderr, and the status that tells a wrong setting from a failed picture. */
function report(error: unknown): number {
  const { message, code } = error as Error & { code?: string }
  process.stderr.write(`sluice: ${message}\n`)
  if (!(error instanceof SluiceError)) process.stderr.write(`${(error as Error).stack ?? ''}\n`)
  return code === 'config-invalid' ? EXIT_CONFIG : 1
}
