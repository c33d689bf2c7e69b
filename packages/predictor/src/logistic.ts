export interface LogisticSample {
  /** One value per weight; a constant is a feature of its own, 1. */
  readonly x: readonly number[]
  readonly y: boolean
}

/** Normal prior of one weight: N(mean, 1 / strength). Strength 0 is none, and data that one weight separates has no fit then. */
export interface WeightPrior {
  readonly mean: number
  readonly strength: number
}

/** Newton's step may overshoot far from the optimum (guess). */
const MOST_CHANGE = 1
const MOST_STEPS = 100
const ENOUGH = 1e-9

/** `1 / (1 + exp(-x))`. */
export function logistic(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

/** `P(y | x) = 1 / (1 + exp(-w x))`. */
export function logisticOf(weights: readonly number[], x: readonly number[]): number {
  let logit = 0
  for (let at = 0; at < weights.length; at++) logit += (weights[at] ?? 0) * (x[at] ?? 0)
  return logistic(logit)
}

/**
 * Maximum a posteriori weights of logistic regression, one for each of `priors`, by Newton's method:
 * `w <- w + (X' p (1 - p) X + S)^-1 (X' (y - p) - S (w - m))`, S and m the priors' strengths and means.
 * Source: Hastie, Tibshirani and Friedman 2009, section 4.4. Without samples: the priors' means.
 */
export function fitLogistic(samples: readonly LogisticSample[], priors: readonly WeightPrior[]): number[] {
  let weights = priors.map(({ mean }) => mean)
  for (let step = 0; step < MOST_STEPS; step++) {
    const { gradient, hessian } = slopes(samples, weights, priors)
    const change = solve(hessian, gradient).map((by) => Math.max(-MOST_CHANGE, Math.min(MOST_CHANGE, by)))
    weights = weights.map((weight, at) => weight + (change[at] ?? 0))
    if (change.every((by) => Math.abs(by) < ENOUGH)) break
  }
  return weights
}

function slopes(
  samples: readonly LogisticSample[],
  weights: readonly number[],
  priors: readonly WeightPrior[],
): { gradient: number[]; hessian: number[][] } {
  const size = weights.length
  const gradient = new Float64Array(size)
  const hessian = new Float64Array(size * size)
  for (const [row, { mean, strength }] of priors.entries()) {
    gradient[row] = strength * (mean - (weights[row] ?? 0))
    hessian[row * size + row] = strength
  }
  for (const { x, y } of samples) {
    const p = logisticOf(weights, x)
    const error = Number(y) - p
    const curve = p * (1 - p)
    for (let row = 0; row < size; row++) {
      const value = x[row] ?? 0
      gradient[row] = (gradient[row] ?? 0) + error * value
      for (let column = 0; column < size; column++) {
        const at = row * size + column
        hessian[at] = (hessian[at] ?? 0) + curve * value * (x[column] ?? 0)
      }
    }
  }
  const rows = Array.from({ length: size }, (_, row) => [...hessian.subarray(row * size, (row + 1) * size)])
  return { gradient: [...gradient], hessian: rows }
}

/** Gauss and Jordan with pivots: the systems have a dozen rows at most. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, at) => [...row, right[at] ?? 0])
  for (let pivot = 0; pivot < rows.length; pivot++) {
    const size = (row: readonly number[]) => Math.abs(row[pivot] ?? 0)
    const best = rows.slice(pivot).reduce((a, b) => (size(b) > size(a) ? b : a))
    rows[rows.indexOf(best)] = rows[pivot] ?? best
    const scaled = best.map((value) => value / (best[pivot] || 1))
    rows[pivot] = scaled
    for (const [at, row] of rows.entries()) {
      if (at !== pivot) rows[at] = row.map((value, column) => value - (row[pivot] ?? 0) * (scaled[column] ?? 0))
    }
  }
  return rows.map((row) => row.at(-1) ?? 0)
}
