import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

export interface SimulationOptions {
  /** How many seeds, from `first` on. */
  readonly seeds: number
  readonly first: number
  readonly workers: number
  /** One seed alone, with everything that happens. */
  readonly seed: number | undefined
}

const USAGE = `npm run sim -- [--seeds N] [--first N] [--workers N] [--seed N]
  --seeds N     how many uploads, each from a seed of its own (default 2000); from 2000 on everything has to have happened
  --first N     the first seed (default 1)
  --workers N   threads (default as many as there are cores); 0: in this one, for a profiler
  --seed N      one seed alone, and all that happens in it`

/** @returns `undefined` when only help was asked for. @throws Error with the usage */
export function parseSimulationOptions(argv: readonly string[]): SimulationOptions | undefined {
  const values = parse(argv)
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  return {
    seeds: wholeNumber('seeds', values.seeds ?? '2000', 1),
    first: wholeNumber('first', values.first ?? '1', 0),
    workers: wholeNumber('workers', values.workers ?? String(availableParallelism()), 0),
    seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed, 0),
  }
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least) return number
  throw new Error(`--${name} is a whole number from ${least}, not ${text}\n${USAGE}`)
}

function parse(argv: readonly string[]) {
  try {
    const text = { type: 'string' } as const
    const options = { seeds: text, first: text, workers: text, seed: text, help: { type: 'boolean' } as const }
    return parseArgs({ args: [...argv], options }).values
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${USAGE}`, { cause })
  }
}
