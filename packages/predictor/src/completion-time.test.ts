import fc from 'fast-check'
import { harmonicMean } from 'simple-statistics'
import { expect, test } from 'vitest'
import { estimateRemainingMs, PartitionGoodputs } from './completion-time.js'

test('the expected rate is the total of equal partitions over their total time', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e8 }), { minLength: 1, maxLength: 12 }), (rates) => {
      const goodputs = new PartitionGoodputs()
      for (const rate of rates) goodputs.add(rate)
      expect((goodputs.harmonicMean() ?? 0) / harmonicMean(rates.slice(-5))).toBeCloseTo(1, 9)
      expect(goodputs.robust()).toBeLessThanOrEqual((goodputs.harmonicMean() ?? 0) + 1e-9)
    }),
  )
})

test('the robust form divides by one plus the worst recent error', () => {
  const goodputs = new PartitionGoodputs()
  expect(goodputs.robust()).toBeUndefined()
  goodputs.add(200)
  goodputs.add(100)
  // Predicted 200 where 100 came: error 1. Harmonic mean 133.3.
  expect(goodputs.robust()).toBeCloseTo(133.333 / 2, 2)
})

test('the remaining time is bytes over rate, and a day at most', () => {
  expect(estimateRemainingMs(1_000, 500)).toBe(2_000)
  expect(estimateRemainingMs(1, 0)).toBe(86_400_000)
  expect(estimateRemainingMs(0, 0)).toBe(0)
})

test('the robust form is the harmonic mean over one plus the worst error that the last five forecasts had', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 2, maxLength: 14 }), (rates) => {
      const goodputs = new PartitionGoodputs()
      for (const rate of rates) goodputs.add(rate)
      // Reference: each forecast anew, from the five before it.
      const errors = rates.map((rate, at) => {
        const before = rates.slice(Math.max(0, at - 5), at)
        return before.length === 0 ? 0 : Math.abs(harmonicMean(before) / rate - 1)
      })
      const expected = harmonicMean(rates.slice(-5)) / (1 + Math.max(...errors.slice(-5)))
      expect((goodputs.robust() ?? 0) / expected).toBeCloseTo(1, 9)
    }),
  )
})

test('a partition of which nothing came is no rate, and what is no quantity is refused', () => {
  const goodputs = new PartitionGoodputs()
  goodputs.add(0)
  expect(goodputs.harmonicMean()).toBeUndefined()
  expect(() => goodputs.add(Number.NaN)).toThrow('NaN')
  expect(() => estimateRemainingMs(-1, 1)).toThrow('-1')
})

test('how well the rate is known: better with each partition, worse the more they differ', () => {
  const spreadOf = (rates: readonly number[]) => new PartitionGoodputs(rates).spread()
  expect(spreadOf([])).toBe(0.5)
  // one alike: the prior's squares over two, over the root of two
  expect(spreadOf([1e6])).toBeCloseTo(0.25)
  const alike = spreadOf([1e6, 1e6, 1e6, 1e6, 1e6])
  expect(alike).toBeCloseTo(0.5 / 6)
  expect(spreadOf([1e6, 2e6, 1e6, 2e6, 1e6])).toBeGreaterThan(alike)
})
