import fc from 'fast-check'
import { logit, mean } from 'simple-statistics'
import { expect, test } from 'vitest'
import { fitLogistic, type LogisticSample, logistic, logisticOf, type WeightPrior } from './logistic.js'

const value = fc.double({ min: -3, max: 3, noNaN: true })
const sample = fc.record({ x: fc.tuple(fc.constant(1), value, value), y: fc.boolean() })
const PRIORS: readonly WeightPrior[] = [
  { mean: 0, strength: 0.5 },
  { mean: 1, strength: 4 },
  { mean: 0, strength: 1 },
]

/** What is to be greatest, from its definition: log-likelihood and log of the priors. */
function posterior(samples: readonly LogisticSample[], weights: readonly number[]): number {
  const seen = samples.reduce((sum, { x, y }) => {
    const score = x.reduce((dot, at, n) => dot + at * (weights[n] ?? 0), 0)
    return sum - Math.log1p(Math.exp(y ? -score : score))
  }, 0)
  const drawn = PRIORS.reduce((sum, { mean: m, strength }, n) => sum + (strength / 2) * ((weights[n] ?? 0) - m) ** 2, 0)
  return seen - drawn
}

/** One weight after the other by ever smaller steps, knowing nothing but the posterior. */
function climbed(samples: readonly LogisticSample[]): number[] {
  const weights = [0, 0, 0]
  let best = posterior(samples, weights)
  for (let step = 1; step > 1e-6; ) {
    let moved = false
    for (const at of weights.keys()) {
      for (const by of [step, -step]) {
        const tried = weights.with(at, (weights[at] ?? 0) + by)
        const height = posterior(samples, tried)
        if (height <= best) continue
        ;[weights[at], best, moved] = [tried[at] ?? 0, height, true]
      }
    }
    if (!moved) step /= 2
  }
  return weights
}

test('its weights are those that a slow climb over the posterior finds, also of separable data', () => {
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
      const slow = climbed(samples)
      for (const [at, weight] of fitLogistic(samples, PRIORS).entries()) expect(weight).toBeCloseTo(slow[at] ?? 0, 3)
    }),
    { numRuns: 40 },
  )
})

test('without samples it is the priors’ means, and the constant alone comes to the log-odds of the base rate', () => {
  expect(fitLogistic([], PRIORS)).toEqual([0, 1, 0])
  const ys = [true, false, false, false, false]
  const [constant = Number.NaN] = fitLogistic(
    ys.map((y) => ({ x: [1], y })),
    [{ mean: 0, strength: 0 }],
  )
  expect(constant).toBeCloseTo(logit(mean(ys.map(Number))), 9)
})

test('what it says is a probability, rises with the score, and is symmetric', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -800, max: 800, noNaN: true }),
      fc.double({ min: 0, max: 10, noNaN: true }),
      (x, by) => {
        expect(logistic(x)).toBeGreaterThanOrEqual(0)
        expect(logistic(x + by)).toBeGreaterThanOrEqual(logistic(x))
        expect(logistic(x) + logistic(-x)).toBeCloseTo(1, 12)
        expect(logisticOf([1, 2], [x, by])).toBe(logistic(x + 2 * by))
      },
    ),
  )
})
