import { logistic } from './logistic.js'
import { AGES, USUAL, WEIGHTS } from './risk-weights.js'

/** What each factor adds to the log-odds of a session whose factors are the usual ones of its age: `base + sum = ln(p / (1 - p))`. */
export interface Contributions {
  readonly base: number
  /** In the order of `FACTORS`: weight times (value less usual value). */
  readonly weights: readonly number[]
}

/**
 * P(fails, or takes over twice its plan), by logistic regression on `factorsOf`: `1 / (1 + exp(-(w0 + w x)))`, the
 * weights linear between the ages at which they were fitted (age = time since the start over the plan). No weight but
 * the first is below zero, so none of the factors lowers a risk as it rises. Source: METHODS, Risk (combination).
 */
export function combine(factors: readonly number[], age: number): number {
  const { lower, upper, share } = between(age)
  return logistic((1 - share) * score(WEIGHTS[lower], factors) + share * score(WEIGHTS[upper], factors))
}

/** The same, taken apart. */
export function contributions(factors: readonly number[], age: number): Contributions {
  const at = between(age)
  const usual = usualFactors(age)
  let base = mixed(WEIGHTS, 0, at)
  const weights = factors.map((value, n) => {
    const weight = mixed(WEIGHTS, n + 1, at)
    base += weight * (usual[n] ?? 0)
    return weight * (value - (usual[n] ?? 0))
  })
  return { base, weights }
}

/** The median of each factor among the sessions of that age that it was fitted to and that came to no trouble. */
export function usualFactors(age: number): number[] {
  const at = between(age)
  return (USUAL[0] ?? []).map((_, n) => mixed(USUAL, n, at))
}

interface Between {
  lower: number
  upper: number
  share: number
}

function between(age: number): Between {
  let upper = AGES.findIndex((fitted) => fitted >= age)
  if (upper < 0) upper = AGES.length - 1
  const lower = Math.max(0, upper - 1)
  const [from, to] = [AGES[lower] ?? 0, AGES[upper] ?? 0]
  return { lower, upper, share: to > from ? Math.min(1, (age - from) / (to - from)) : 0 }
}

function mixed(rows: readonly (readonly number[])[], column: number, { lower, upper, share }: Between): number {
  return (1 - share) * (rows[lower]?.[column] ?? 0) + share * (rows[upper]?.[column] ?? 0)
}

function score(weights: readonly number[] = [], factors: readonly number[]): number {
  let sum = weights[0] ?? 0
  for (let at = 0; at < factors.length; at++) sum += (weights[at + 1] ?? 0) * (factors[at] ?? 0)
  return sum
}
