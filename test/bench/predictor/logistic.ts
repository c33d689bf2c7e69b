/** Guess: weight of the prior N(0, 1 / RIDGE) of each weight but the first. */
const RIDGE = 1
const MOST_STEPS = 25
const ENOUGH = 1e-6

export interface Sample {
  readonly x: readonly number[]
  readonly y: boolean
}

/** Maximum a posteriori weights of P(y | x) = 1 / (1 + exp(-w x)), by Newton's method. The first feature is the constant 1. */
export function fitLogistic(samples: readonly Sample[]): number[] {
  const size = samples[0]?.x.length ?? 0
  let weights = new Array<number>(size).fill(0)
  for (let step = 0; step < MOST_STEPS; step++) {
    const { gradient, hessian } = slopes(samples, weights)
    const change = solve(hessian, gradient)
    weights = weights.map((weight, at) => weight + Math.max(-4, Math.min(4, change[at] ?? 0)))
    if (Math.max(...change.map(Math.abs)) < ENOUGH) break
  }
  return weights
}

/**
 * The same with no weight but the first below zero: the one that would lower the answer most is left out, until none
 * would. What is left out weighs 0.
 */
export function fitNotNegative(samples: readonly Sample[]): number[] {
  let used = (samples[0]?.x ?? []).map((_, at) => at)
  for (;;) {
    const fitted = fitLogistic(samples.map(({ x, y }) => ({ x: used.map((at) => x[at] ?? 0), y })))
    const effects = fitted.map((weight, at) => (at === 0 ? 0 : weight * spreadOf(samples, used[at] ?? 0)))
    const worst = effects.indexOf(Math.min(...effects))
    if ((effects[worst] ?? 0) >= 0) {
      return (samples[0]?.x ?? []).map((_, at) => (used.includes(at) ? (fitted[used.indexOf(at)] ?? 0) : 0))
    }
    used = used.filter((_, at) => at !== worst)
  }
}

function spreadOf(samples: readonly Sample[], feature: number): number {
  const mean = samples.reduce((sum, { x }) => sum + (x[feature] ?? 0), 0) / samples.length
  return Math.sqrt(samples.reduce((sum, { x }) => sum + ((x[feature] ?? 0) - mean) ** 2, 0) / samples.length)
}

export function logisticOf(weights: readonly number[], x: readonly number[]): number {
  return 1 / (1 + Math.exp(-dot(weights, x)))
}

function slopes(samples: readonly Sample[], weights: readonly number[]): { gradient: number[]; hessian: number[][] } {
  const size = weights.length
  const gradient = new Float64Array(size)
  const hessian = new Float64Array(size * size)
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
  const prior = (row: number) => (row === 0 ? 1e-9 : RIDGE)
  return {
    gradient: weights.map((weight, row) => (gradient[row] ?? 0) - prior(row) * weight),
    hessian: weights.map((_, row) =>
      weights.map((_, column) => (hessian[row * size + column] ?? 0) + (row === column ? prior(row) : 0)),
    ),
  }
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

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}
