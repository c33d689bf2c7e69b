import { countFrom, parseFlags } from '../bench-flags.js'

export interface EtaBenchOptions {
  /** Folder of recorded links; absent ones are no error. */
  readonly traces: string
  /** Uploads per link. */
  readonly uploads: number
  readonly seed: string
  readonly json: string | undefined
  readonly markdown: string | undefined
}

const USAGE = `npm run bench:eta -- [--traces DIR] [--uploads N] [--seed TEXT] [--json FILE] [--markdown]
  --traces DIR   recorded links, CSV: start_ms,dur_ms,mbps (default ../shared/traces; synthetic ones are always there)
  --uploads N    uploads per link, 1 to 10000 (default 300)
  --seed TEXT    what all randomness comes from (default 1)
  --json FILE    everything as JSON
  --markdown     puts the table into docs/engine-benchmarks.md`

const FLAGS = {
  traces: { type: 'string' },
  uploads: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parseEtaOptions(argv: readonly string[]): EtaBenchOptions | undefined {
  const values = parseFlags(argv, FLAGS, USAGE)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  return {
    traces: values.traces ?? '../shared/traces',
    uploads: countFrom(values.uploads, { flag: '--uploads', least: 1, most: 10_000, otherwise: 300, usage: USAGE }),
    seed: values.seed ?? '1',
    json: values.json,
    markdown: values.markdown ? 'docs/engine-benchmarks.md' : undefined,
  }
}
