import { parseArgs } from 'node:util'

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
  --markdown     puts the tables into docs/predictor.md`

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parsePredictorOptions(argv: readonly string[]): PredictorBenchOptions | undefined {
  const values = parse(argv)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const quick = values.quick ?? false
  const seeds = Number(values.seeds ?? (quick ? 6 : 40))
  if (!Number.isInteger(seeds) || seeds < 2 || seeds > 1_000) {
    throw new Error(`--seeds is a whole number from 2 to 1000, not ${values.seeds}\n${USAGE}`)
  }
  return {
    traces: values.traces ?? '../shared/traces',
    seeds,
    seed: values.seed ?? '1',
    quick,
    json: values.json,
    markdown: values.markdown ? 'docs/predictor.md' : undefined,
  }
}

function parse(argv: readonly string[]) {
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    const options = { traces: text, seeds: text, seed: text, json: text, quick: flag, markdown: flag, help: flag }
    return parseArgs({ args: [...argv], options }).values
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${USAGE}`, { cause })
  }
}
