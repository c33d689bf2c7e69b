import fc from 'fast-check'
import { cumulativeStdNormalProbability, mean, probit } from 'simple-statistics'
import { expect, test } from 'vitest'
import { CompletionSurvival } from './completion-survival.js'

/** Numbers in (0, 1) that are the same at every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Kaplan-Meier: the product over completions up to the ratio of 1 - 1 / (at risk). Assumes no shape. */
function kaplanMeier(outcomes: { ratio: number; censored: boolean }[], ratio: number): number {
  const sorted = [...outcomes].sort((a, b) => a.ratio - b.ratio)
  return sorted.reduce((survival, outcome, index) => {
    if (outcome.censored || outcome.ratio > ratio) return survival
    return survival * (1 - 1 / (sorted.length - index))
  }, 1)
}

function fed(outcomes: { ratio: number; censored: boolean }[]): CompletionSurvival {
  const survival = new CompletionSurvival()
  for (const { ratio, censored } of outcomes) censored ? survival.censored(ratio) : survival.completed(ratio)
  return survival
}

test('it agrees with Kaplan-Meier on the last 64 outcomes, a third of them censored', () => {
  const random = seeded(7)
  const errors: number[] = []
  for (let fleet = 0; fleet < 40; fleet++) {
    const outcomes = Array.from({ length: 100 }, () => {
      const actual = Math.exp(0.2 + 0.6 * probit(random()))
      const ended = Math.exp(0.5 + 0.6 * probit(random()))
      return { ratio: Math.min(actual, ended), censored: ended < actual }
    })
    const survival = fed(outcomes)
    for (const ratio of [0.6, 1, 1.4, 2]) {
      errors.push(survival.survival(ratio) - kaplanMeier(outcomes.slice(-64), ratio))
    }
    expect(Math.abs(survival.meanLog - 0.2)).toBeLessThan(0.35)
  }
  expect(Math.abs(mean(errors))).toBeLessThan(0.02)
  expect(mean(errors.map(Math.abs))).toBeLessThan(0.045)
})

test('to leave the censored out, or to take them for completions, would promise too much', () => {
  const random = seeded(11)
  const fleets = Array.from({ length: 30 }, () => {
    const actuals = Array.from({ length: 64 }, () => Math.exp(0.6 * probit(random())))
    return actuals.map((actual) => ({ ratio: Math.min(1.3, actual), censored: actual > 1.3 }))
  })
  const truth = 1 - cumulativeStdNormalProbability(Math.LN2 / 0.6)
  const told = mean(fleets.map((outcomes) => fed(outcomes).survival(2)))
  const leftOut = mean(fleets.map((outcomes) => fed(outcomes.filter(({ censored }) => !censored)).survival(2)))
  const taken = mean(fleets.map((outcomes) => fed(outcomes.map((o) => ({ ...o, censored: false }))).survival(2)))
  expect(Math.abs(told - truth)).toBeLessThan(0.03)
  expect(leftOut).toBeLessThan(0.4 * truth)
  expect(taken).toBeLessThan(0.6 * truth)
})

test('before any outcome one in twelve takes over twice its plan', () => {
  const cold = new CompletionSurvival()
  expect(cold.outcomes).toBe(0)
  expect(cold.survival(1)).toBeCloseTo(0.5, 6)
  expect(cold.survival(2)).toBeCloseTo(1 - cumulativeStdNormalProbability(Math.LN2 / 0.5), 2)
  expect(cold.residual()).toBeCloseTo(Math.exp(0.5 ** 2 / 2), 2)
})

test('the conditional residual is the integral of the conditional survival', () => {
  const survival = fed([0.8, 1, 1.3, 2.2, 0.9].map((ratio) => ({ ratio, censored: false })))
  for (const given of [0.2, 1, 3]) {
    let integral = 0
    for (let ratio = given; ratio < 400; ratio *= 1.0005) {
      integral += 0.0005 * ratio * survival.survival(ratio * 1.00025, given)
    }
    expect(survival.residual(given) / integral).toBeCloseTo(1, 2)
  }
})

test('far beyond five deviations the conditional survival keeps to the bounds of the Mills ratio', () => {
  const survival = fed(Array.from({ length: 64 }, () => ({ ratio: 1, censored: false })))
  // Q(z) lies between density * z / (1 + z^2) and density / z
  for (const given of [8, 20, 100]) {
    const z = (Math.log(given) - survival.meanLog) / survival.sigmaLog
    const later = (Math.log(1.05 * given) - survival.meanLog) / survival.sigmaLog
    const densities = Math.exp((z ** 2 - later ** 2) / 2)
    expect(z).toBeGreaterThan(5)
    const told = survival.survival(1.05 * given, given)
    expect(told).toBeGreaterThan(densities * (later / (1 + later ** 2)) * z * (1 - 1e-5))
    expect(told).toBeLessThan((densities / later) * ((1 + z ** 2) / z) * (1 + 1e-5))
  }
})

test('whatever it was fed, it is a survival function: in range, falling with the end, rising with the age', () => {
  const ratio = fc.double({ min: 1e-9, max: 1e12, noNaN: true })
  const age = fc.double({ min: 0, max: 1e6, noNaN: true })
  const outcomes = fc.array(fc.record({ ratio, censored: fc.boolean() }), { maxLength: 80 })
  fc.assert(
    fc.property(outcomes, age, age, age, (fedOutcomes, a, b, c) => {
      const survival = fed(fedOutcomes)
      const [first, second, third] = [a, b, c].sort((x, y) => x - y) as [number, number, number]
      expect(survival.survival(third, first)).toBeLessThanOrEqual(survival.survival(second, first) + 1e-9)
      expect(survival.survival(third, first)).toBeLessThanOrEqual(survival.survival(third, second) + 1e-9)
      for (const p of [survival.survival(third, first), survival.survival(first, third)]) {
        expect(p >= 0 && p <= 1).toBe(true)
      }
      expect(Number.isFinite(survival.residual(second)) && survival.residual(second) >= 0).toBe(true)
    }),
  )
})

test('a ratio that is none is refused and changes nothing', () => {
  const survival = fed([{ ratio: 1.5, censored: false }])
  const before = survival.survival(2)
  for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => survival.completed(bad)).toThrow(String(bad))
  }
  expect(survival.survival(2)).toBe(before)
})
