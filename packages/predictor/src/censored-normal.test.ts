import fc from 'fast-check'
import { variance } from 'simple-statistics'
import { expect, test } from 'vitest'
import { type CensoredLog, refine } from './censored-normal.js'

const log = fc.double({ min: -1.5, max: 1.5, noNaN: true })
const values = fc.array(fc.record({ log, censored: fc.boolean() }), { minLength: 1, maxLength: 25 })
const PRIOR = { values: 4, variance: 0.25 }

/** ln P(Z > z) by Simpson's rule on the density over that at z. */
function logTail(z: number): number {
  const steps = 400
  const width = Math.max(12, 8 - z) / steps
  let sum = 0
  for (let n = 0; n <= steps; n++) {
    const x = z + n * width
    sum += (n === 0 || n === steps ? 1 : n % 2 === 0 ? 2 : 4) * Math.exp((z * z - x * x) / 2)
  }
  return Math.log((sum * width) / 3 / Math.sqrt(2 * Math.PI)) - (z * z) / 2
}

/** From the definition: density of what was seen, tail of what was cut, and the prior's values as if they were seen. */
function likelihood(list: readonly CensoredLog[], mean: number, sigma: number): number {
  const seen = list.reduce((sum, one) => {
    const z = (one.log - mean) / sigma
    return sum + (one.censored ? logTail(z) : -(z ** 2) / 2 - Math.log(sigma))
  }, 0)
  return seen - PRIOR.values * (Math.log(sigma) + (mean ** 2 + PRIOR.variance) / (2 * sigma ** 2))
}

function refined(list: readonly CensoredLog[], rounds: number): { mean: number; sigma: number } {
  let fit = { mean: 0, sigma: 0.5 }
  for (let round = 0; round < rounds; round++) {
    const { mean, variance: spread } = refine(list, fit, PRIOR)
    fit = { mean, sigma: Math.sqrt(spread) }
  }
  return fit
}

test('no round lowers the likelihood, and in the end no neighbour has a greater one', () => {
  fc.assert(
    fc.property(values, (list) => {
      let before = Number.NEGATIVE_INFINITY
      for (const rounds of [1, 2, 5, 20]) {
        const { mean, sigma } = refined(list, rounds)
        const now = likelihood(list, mean, sigma)
        expect(now).toBeGreaterThanOrEqual(before - 1e-6)
        before = now
      }
      const { mean, sigma } = refined(list, 2_000)
      const top = likelihood(list, mean, sigma)
      for (const [by, times] of [
        [0.02, 1],
        [-0.02, 1],
        [0, 1.03],
        [0, 1 / 1.03],
      ] as const) {
        expect(likelihood(list, mean + by, sigma * times)).toBeLessThan(top + 1e-6)
      }
    }),
    { numRuns: 60 },
  )
})

test('with nothing censored and no prior, one round is the mean and the variance', () => {
  fc.assert(
    fc.property(fc.array(log, { minLength: 2, maxLength: 30 }), (logs) => {
      const found = refine(
        logs.map((one) => ({ log: one, censored: false })),
        { mean: 9, sigma: 3 },
      )
      expect(found.variance).toBeCloseTo(variance(logs), 9)
    }),
  )
})

test('what is censored far above or far below what was seen leaves finite moments', () => {
  for (const far of [-500, 500]) {
    const found = refine([{ log: far, censored: true }], { mean: 0, sigma: 0.1 })
    expect(Number.isFinite(found.mean) && found.variance >= 0).toBe(true)
    expect(found.mean).toBeCloseTo(Math.max(0, far), 1)
  }
})
