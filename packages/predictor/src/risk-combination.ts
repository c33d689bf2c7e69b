import { logistic } from './logistic.js'
import { AGES, WEIGHTS } from './risk-weights.js'

/**
 * P(fails, or takes over twice its plan), by logistic regression on `factorsOf`: `1 / (1 + exp(-(w0 + w x)))`, the
 * weights linear between the ages at which they were fitted (age = time since the start over the plan). No weight but
 * the first is below zero, so none of the factors lowers a risk as it rises. Source: METHODS, Risk (combination).
 */
export function combine(factors: readonly number[], age: number): number {
  let upper = AGES.findIndex((fitted) => fitted >= age)
  if (upper < 0) upper = AGES.length - 1
  const lower = Math.max(0, upper - 1)
  const [from, to] = [AGES[lower] ?? 0, AGES[upper] ?? 0]
  const share = to > from ? Math.min(1, (age - from) / (to - from)) : 0
  return logistic((1 - share) * score(WEIGHTS[lower], factors) + share * score(WEIGHTS[upper], factors))
}

function score(weights: readonly number[] = [], factors: readonly number[]): number {
  let sum = weights[0] ?? 0
  for (let at = 0; at < factors.length; at++) sum += (weights[at + 1] ?? 0) * (factors[at] ?? 0)
  return sum
}
