import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FailureHistory } from './failure-history.js'

const transfer = (history: FailureHistory, seconds: number): void => {
  for (let n = 0; n < seconds * 10; n++) history.transferred(100)
}

test('a new store fails once a minute', () => {
  expect(new FailureHistory().meanTimeBetweenFailuresMs).toBe(60_000)
})

test('a failure shortens the time between failures at once, and 20 s of clean transfer restore it', () => {
  const history = new FailureHistory()
  transfer(history, 30)
  history.failed(1)
  const after = history.meanTimeBetweenFailuresMs
  expect(after).toBeLessThan(30_000)
  transfer(history, 10)
  expect(history.meanTimeBetweenFailuresMs).toBeGreaterThan(1.5 * after)
  transfer(history, 10)
  expect(history.meanTimeBetweenFailuresMs).toBeGreaterThan(50_000)
})

test('what is seen fades with a half-life of ten seconds of transfer', () => {
  const history = new FailureHistory()
  history.failed(1)
  transfer(history, 15)
  // Reference: one failure 15 s ago, and the integral of 0.5^(age / 10 s) over those 15 s.
  const failures = 0.25 + 0.5 ** 1.5
  const seconds = 15 + (10 / Math.LN2) * (1 - 0.5 ** 1.5)
  expect(history.failuresPerSecond).toBeCloseTo(failures / seconds, 4)
})

test('the chance of failing is that of a Gamma-distributed hazard', () => {
  const history = new FailureHistory()
  history.failed(0.75)
  // a = 1, b = 15: the hazard is exponential, and 1 - E exp(-hazard T) = T / (15 + T).
  expect(history.probabilityWithin(5_000)).toBeCloseTo(0.25, 9)
})

test('taking back what was counted restores the rate', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (weight) => {
      const history = new FailureHistory()
      const before = history.failuresPerSecond
      history.failed(weight)
      history.retract(weight)
      expect(history.failuresPerSecond).toBeCloseTo(before, 12)
    }),
  )
})

/** Mean of `of` over a hazard ~ Gamma(a, b), by the midpoint rule in the hazard's logarithm. */
function overHazards(a: number, b: number, of: (hazard: number) => number): number {
  const mostLog = Math.log((40 + 4 * a) / b)
  let [sum, weights] = [0, 0]
  for (let log = mostLog - 60; log < mostLog; log += 0.02) {
    const hazard = Math.exp(log)
    const weight = Math.exp(a * log - b * hazard)
    sum += weight * of(hazard)
    weights += weight
  }
  return sum / weights
}

test('rate and chance of failing are means over the Gamma posterior, by numeric integration', () => {
  const evidence = fc.record({
    failures: fc.double({ min: 0, max: 12, noNaN: true }),
    seconds: fc.double({ min: 0, max: 15, noNaN: true }),
  })
  fc.assert(
    fc.property(evidence, fc.integer({ min: 0, max: 60_000 }), (known, durationMs) => {
      const history = new FailureHistory(known)
      const [a, b] = [0.25 + known.failures, 15 + known.seconds]
      expect(history.failuresPerSecond / overHazards(a, b, (hazard) => hazard)).toBeCloseTo(1, 4)
      const failed = overHazards(a, b, (hazard) => 1 - Math.exp((-hazard * durationMs) / 1_000))
      expect(history.probabilityWithin(durationMs)).toBeCloseTo(failed, 5)
    }),
    { numRuns: 40 },
  )
})

test('the chance rises with the time and with each failure, and what is no quantity is refused', () => {
  const ms = fc.double({ min: 0, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(ms, ms, fc.double({ min: 0, max: 1, noNaN: true }), (at, more, weight) => {
      const history = new FailureHistory()
      const before = history.probabilityWithin(at)
      expect(history.probabilityWithin(at + more)).toBeGreaterThanOrEqual(before)
      history.failed(weight)
      const after = history.probabilityWithin(at)
      expect(after >= before && after <= 1).toBe(true)
    }),
  )
  for (const say of ['transferred', 'failed', 'retract', 'probabilityWithin'] as const) {
    expect(() => new FailureHistory()[say](Number.NaN)).toThrow('NaN')
  }
})

test('the posterior has the rate as its mean, and 15 s of transfer before anything was seen', () => {
  const history = new FailureHistory()
  expect(history.posterior).toEqual({ failures: 0.25, seconds: 15 })
  transfer(history, 30)
  history.failed(1)
  const { failures, seconds } = history.posterior
  expect(failures / seconds).toBeCloseTo(history.failuresPerSecond)
  expect(failures).toBeCloseTo(1.25)
})
