import { fitLogistic, type LogisticSample, type WeightPrior } from 'upload-predictor'

/** Guess: strength of the prior around 0 of each weight but the constant's. */
const RIDGE = 1
/** Keeps a constant finite. */
const CONSTANT_RIDGE = 1e-9

/** Weights of features of which the first is the constant 1, the others drawn towards 0. */
export function fitRidge(samples: readonly LogisticSample[]): number[] {
  const priors = (samples[0]?.x ?? []).map(
    (_, at): WeightPrior => ({ mean: 0, strength: at === 0 ? CONSTANT_RIDGE : RIDGE }),
  )
  return fitLogistic(samples, priors)
}

/**
 * The same with no weight but the first below zero: the one that would lower the answer most is left out, until none
 * would. What is left out weighs 0.
 */
export function fitNotNegative(samples: readonly LogisticSample[]): number[] {
  let used = (samples[0]?.x ?? []).map((_, at) => at)
  for (;;) {
    const fitted = fitRidge(samples.map(({ x, y }) => ({ x: used.map((at) => x[at] ?? 0), y })))
    const effects = fitted.map((weight, at) => (at === 0 ? 0 : weight * spreadOf(samples, used[at] ?? 0)))
    const worst = effects.indexOf(Math.min(...effects))
    if ((effects[worst] ?? 0) >= 0) {
      return (samples[0]?.x ?? []).map((_, at) => (used.includes(at) ? (fitted[used.indexOf(at)] ?? 0) : 0))
    }
    used = used.filter((_, at) => at !== worst)
  }
}

function spreadOf(samples: readonly LogisticSample[], feature: number): number {
  const mean = samples.reduce((sum, { x }) => sum + (x[feature] ?? 0), 0) / samples.length
  return Math.sqrt(samples.reduce((sum, { x }) => sum + ((x[feature] ?? 0) - mean) ** 2, 0) / samples.length)
}
