import { countFrom, parseFlags } from '../bench-flags.js'

export interface PredictorBenchOptions {
  /** Folder of recorded links; absent ones are no error. */
  readonly traces: string
  /** Offsets per link. */
  readonly seeds: number
  readonly seed: string
  readonly quick: boolean
  readonly json: string | undefined
  readonly markdown: string | undefined
}

const USAGE = `npm run bench:predictor -- [--traces DIR] [--seeds N] [--seed TEXT] [--quick] [--json FILE] [--markdown]
  --traces DIR   recorded links, CSV: start_ms,dur_ms,mbps (default ../shared/traces; synthetic ones are always there)
  --seeds N      offsets per link, 2 to 1000 (default 40; with --quick 6)
  --seed TEXT    what all randomness comes from (default 1)
  --quick        few offsets: whether it runs, not how good
  --json FILE    everything as JSON
  --markdown     puts the tables and the reliability diagram into docs/predictor.md`

const FLAGS = {
  traces: { type: 'string' },
  seeds: { type: 'string' },
  seed: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parsePredictorOptions(argv: readonly string[]): PredictorBenchOptions | undefined {
  const values = parseFlags(argv, FLAGS, USAGE)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const quick = values.quick ?? false
  const seeds = { flag: '--seeds', least: 2, most: 1_000, otherwise: quick ? 6 : 40, usage: USAGE }
  return {
    traces: values.traces ?? '../shared/traces',
    seeds: countFrom(values.seeds, seeds),
    seed: values.seed ?? '1',
    quick,
    json: values.json,
    markdown: values.markdown ? 'docs/predictor.md' : undefined,
  }
}
