/** A score of one session; only its order counts. */
export interface Scored {
  readonly score: number
  readonly failed: boolean
  readonly trace: string
}

/** Pairs of a failed session of one trace and a healthy one of another, by trace and trace: all that an AUC needs. */
export interface PairCounts {
  /** Pairs in the right order, ties counting half. */
  readonly wins: readonly (readonly number[])[]
  readonly failed: readonly number[]
  readonly healthy: readonly number[]
}

export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

const RESAMPLES = 1_000

/** `traces` fixes the order, so that the same draw means the same traces for every predictor. */
export function countPairs(scored: readonly Scored[], traces: readonly string[]): PairCounts {
  const of = (trace: string, failed: boolean) =>
    Float64Array.from(
      scored.filter((one) => one.trace === trace && one.failed === failed).map(({ score }) => score),
    ).sort()
  const failed = traces.map((trace) => of(trace, true))
  const healthy = traces.map((trace) => of(trace, false))
  return {
    wins: failed.map((a) => healthy.map((b) => winsOf(a, b))),
    failed: failed.map((list) => list.length),
    healthy: healthy.map((list) => list.length),
  }
}

/** AUC of all traces together, each taken as often as `times` says (once each without). NaN where a class is missing. */
export function aucOf({ wins, failed, healthy }: PairCounts, times: readonly number[] = failed.map(() => 1)): number {
  const sum = (counts: readonly number[]) => counts.reduce((all, count, at) => all + count * (times[at] ?? 0), 0)
  const won = wins.reduce((all, row, at) => all + (times[at] ?? 0) * sum(row), 0)
  return won / (sum(failed) * sum(healthy))
}

/** With a 95 % bootstrap interval over traces. Undefined where a class is missing. */
export function estimateAuc(pairs: PairCounts, random: () => number): Estimate | undefined {
  return estimate((times) => aucOf(pairs, times), pairs.failed.length, random)
}

/** How much higher the first AUC is, both taken over the same draws. */
export function estimateGain(a: PairCounts, b: PairCounts, random: () => number): Estimate | undefined {
  return estimate((times) => aucOf(a, times) - aucOf(b, times), a.failed.length, random)
}

function estimate(
  of: (times: readonly number[]) => number,
  traces: number,
  random: () => number,
): Estimate | undefined {
  const value = of(new Array<number>(traces).fill(1))
  if (Number.isNaN(value)) return undefined
  const values: number[] = []
  for (let round = 0; round < RESAMPLES; round++) {
    const times = new Array<number>(traces).fill(0)
    for (let draw = 0; draw < traces; draw++) {
      const at = Math.floor(random() * traces)
      times[at] = (times[at] ?? 0) + 1
    }
    values.push(of(times))
  }
  const sorted = values.filter((one) => !Number.isNaN(one)).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? value
  return { value, low: at(0.025), high: at(0.975) }
}

/** Both ascending: one pass. */
function winsOf(failed: Float64Array, healthy: Float64Array): number {
  let [below, notAbove, wins] = [0, 0, 0]
  for (const score of failed) {
    while (below < healthy.length && (healthy[below] ?? 0) < score) below++
    while (notAbove < healthy.length && (healthy[notAbove] ?? 0) <= score) notAbove++
    wins += (below + notAbove) / 2
  }
  return wins
}
