import { countFrom, parseFlags } from '../bench-flags.js'

export interface PredictorBenchOptions {
  /** Folder of recorded links; absent ones are no error. */
  readonly traces: string
  /** Offsets per link. */
  readonly seeds: number
  readonly seed: string
  readonly quick: boolean
  /** So many links made as those that weights are fitted on, instead of all others. */
  readonly made: number
  /** What policies decide, and nothing of predictions. */
  readonly decisions: boolean
  readonly json: string | undefined
  readonly markdown: string | undefined
}

const USAGE = `npm run bench:predictor -- [--traces DIR] [--seeds N] [--seed TEXT] [--quick] [--made N] [--decisions] [--json FILE] [--markdown]
  --traces DIR   recorded links, CSV: start_ms,dur_ms,mbps (default ../shared/traces; synthetic ones are always there)
  --seeds N      offsets per link, 2 to 1000 (default 40; with --quick 6)
  --seed TEXT    what all randomness comes from (default 1)
  --quick        few offsets: whether it runs, not how good
  --made N       N links made as those of fit:predictor, with other constants, instead of all others: to choose by
  --decisions    prints what policies decide, and nothing of predictions; not with --json or --markdown
  --json FILE    everything as JSON
  --markdown     puts the tables and the reliability diagram into docs/predictor.md`

const FLAGS = {
  traces: { type: 'string' },
  seeds: { type: 'string' },
  seed: { type: 'string' },
  quick: { type: 'boolean' },
  made: { type: 'string' },
  decisions: { type: 'boolean' },
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
  if (values.decisions && (values.json !== undefined || values.markdown))
    throw new Error(`--decisions goes with neither --json nor --markdown\n${USAGE}`)
  const seeds = { flag: '--seeds', least: 2, most: 1_000, otherwise: quick ? 6 : 40, usage: USAGE }
  return {
    traces: values.traces ?? '../shared/traces',
    seeds: countFrom(values.seeds, seeds),
    seed: values.seed ?? '1',
    quick,
    made: countFrom(values.made, { flag: '--made', least: 0, most: 1_000, otherwise: 0, usage: USAGE }),
    decisions: values.decisions ?? false,
    json: values.json,
    markdown: values.markdown ? 'docs/predictor.md' : undefined,
  }
}
