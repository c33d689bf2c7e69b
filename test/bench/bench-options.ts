import { parseArgs } from 'node:util'

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

const USAGE = `npm run bench:server -- [--rounds N] [--quick] [--only NAME] [--json FILE] [--markdown [FILE]]
  --rounds N     rounds of each pair that count, 1 to 50 (default 8; with --quick 2)
  --quick        small sizes: whether it runs, not how fast
  --only NAME    only cells with NAME in theirs
  --json FILE    the figures as JSON
  --markdown     puts the figures into docs/server-benchmarks.md`

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | undefined {
  const { values } = parse(argv)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const quick = values.quick ?? false
  const rounds = Number(values.rounds ?? (quick ? 2 : 8))
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) {
    throw new Error(`--rounds is a whole number from 1 to 50, not ${values.rounds}\n${USAGE}`)
  }
  return {
    rounds,
    quick,
    json: values.json,
    markdown: values.markdown ? 'docs/server-benchmarks.md' : undefined,
    only: values.only ?? '',
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        markdown: { type: 'boolean' },
        only: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${USAGE}`, { cause })
  }
}
