import { countFrom, parseFlags } from './bench-flags.js'

export interface BenchOptions {
  /** Rounds that count; one more of each warms up. */
  readonly rounds: number
  /** Small sizes and few rounds: whether it runs, not how fast. */
  readonly quick: boolean
  /** Where the figures go as JSON. */
  readonly json: string | undefined
  /** The document whose table is replaced. */
  readonly markdown: string | undefined
  /** Only cells whose name contains this. */
  readonly only: string
}

const USAGE = `npm run bench:server -- [--rounds N] [--quick] [--only NAME] [--json FILE] [--markdown]
  --rounds N     rounds of each pair that count, 1 to 50 (default 8; with --quick 2)
  --quick        small sizes: whether it runs, not how fast
  --only NAME    only cells with NAME in theirs
  --json FILE    the figures as JSON
  --markdown     puts the figures into docs/server-benchmarks.md`

const FLAGS = {
  rounds: { type: 'string' },
  quick: { type: 'boolean' },
  only: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parseFlags(argv, FLAGS, USAGE)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const quick = values.quick ?? false
  const rounds = { flag: '--rounds', least: 1, most: 50, otherwise: quick ? 2 : 8, usage: USAGE }
  return {
    rounds: countFrom(values.rounds, rounds),
    quick,
    json: values.json,
    markdown: values.markdown ? 'docs/server-benchmarks.md' : undefined,
    only: values.only ?? '',
  }
}
