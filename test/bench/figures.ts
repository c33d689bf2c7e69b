/** Of all rounds: the one in the middle, and how far apart they were. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** One line of the report. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly ours: Spread
  /** What it is compared with, and what that took in the same rounds. */
  readonly other?: { readonly name: string; readonly value: Spread }
  /** Ours divided by the other's, round by round. */
  readonly ratio?: Spread
  /** What is to be reached, and whether it was. */
  readonly goal?: { readonly text: string; readonly isReached: boolean }
  readonly note?: string
}

/** @throws RangeError without a value */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) throw new RangeError('a spread needs a value')
  return { median: percentile(sorted, 0.5), least, most }
}

/** Nearest rank, of values in ascending order. @throws RangeError without a value */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('a percentile needs a value')
  return value
}

/** Two things measured in turns: A B A B. The first turn of each warms up and is dropped. */
export async function alternate<A, B>(
  rounds: number,
  runs: { readonly ours: () => Promise<A>; readonly other: () => Promise<B> },
): Promise<{ readonly ours: A; readonly other: B }[]> {
  const pairs: { ours: A; other: B }[] = []
  for (let round = 0; round <= rounds; round++) {
    const other = await runs.other()
    const ours = await runs.ours()
    if (round > 0) pairs.push({ ours, other })
  }
  return pairs
}

/** A figure of alternating rounds. */
export function compare(
  figure: { readonly name: string; readonly unit: string; readonly other: string; readonly note?: string },
  pairs: readonly { readonly ours: number; readonly other: number }[],
  goal?: { readonly text: string; readonly holds: (ratio: Spread, ours: Spread) => boolean },
): Figure {
  const ours = spreadOf(pairs.map((pair) => pair.ours))
  const ratio = spreadOf(pairs.map((pair) => pair.ours / pair.other))
  return {
    name: figure.name,
    unit: figure.unit,
    ours,
    other: { name: figure.other, value: spreadOf(pairs.map((pair) => pair.other)) },
    ratio,
    ...(goal ? { goal: { text: goal.text, isReached: goal.holds(ratio, ours) } } : {}),
    ...(figure.note === undefined ? {} : { note: figure.note }),
  }
}
