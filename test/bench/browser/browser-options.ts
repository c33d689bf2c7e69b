import { countFrom, parseFlags } from '../bench-flags.js'

export interface BrowserBenchOptions {
  /** Rounds that count; one more warms up. */
  readonly rounds: number
  /** Small sizes: whether it runs, not how fast. */
  readonly quick: boolean
  /** Of the uploaded bytes. */
  readonly seed: number
  /** The larger file of the cell `heap`, GB. */
  readonly heapGb: number
  readonly json: string | undefined
  readonly markdown: string | undefined
  /** Only cells whose name contains this. */
  readonly only: string
}

const USAGE = `npm run bench:browser -- [--rounds N] [--quick] [--seed N] [--heap-gb N] [--only NAME] [--json FILE] [--markdown]
  --rounds N     rounds of each pair that count, 1 to 50 (default 5; with --quick 1)
  --quick        small sizes: whether it runs, not how fast
  --seed N       the uploaded bytes, 0 to 4294967295 (default 1)
  --heap-gb N    the larger file of the cell heap, 2 to 1000 GB (default 20), against one of 1 GB
  --only NAME    only cells with NAME in theirs: loopback, shaped, throttled, heap
  --json FILE    the figures as JSON
  --markdown     puts the figures into docs/engine-benchmarks.md`

const FLAGS = {
  rounds: { type: 'string' },
  quick: { type: 'boolean' },
  seed: { type: 'string' },
  'heap-gb': { type: 'string' },
  only: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parseBrowserOptions(argv: readonly string[]): BrowserBenchOptions | undefined {
  const values = parseFlags(argv, FLAGS, USAGE)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const quick = values.quick ?? false
  const rounds = { flag: '--rounds', least: 1, most: 50, otherwise: quick ? 1 : 5, usage: USAGE }
  return {
    rounds: countFrom(values.rounds, rounds),
    quick,
    seed: countFrom(values.seed, { flag: '--seed', least: 0, most: 2 ** 32 - 1, otherwise: 1, usage: USAGE }),
    heapGb: countFrom(values['heap-gb'], { flag: '--heap-gb', least: 2, most: 1000, otherwise: 20, usage: USAGE }),
    json: values.json,
    markdown: values.markdown ? 'docs/engine-benchmarks.md' : undefined,
    only: values.only ?? '',
  }
}
