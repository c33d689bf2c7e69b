import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Ewma } from './ewma.js'

const samples = fc.array(
  fc.record({ value: fc.double({ min: 0, max: 1e9, noNaN: true }), durationMs: fc.integer({ min: 1, max: 20_000 }) }),
  { minLength: 1, maxLength: 30 },
)

test('it is the mean of all samples weighted by what is left of each of their milliseconds', () => {
  fc.assert(
    fc.property(samples, (list) => {
      const ewma = new Ewma(2_000)
      for (const { value, durationMs } of list) ewma.add(value, durationMs)
      // Reference: integrate 0.5^(age / halfLife) over each sample's own stretch of time.
      let ageMs = 0
      let weighted = 0
      let weights = 0
      for (const { value, durationMs } of [...list].reverse()) {
        const weight = 0.5 ** (ageMs / 2_000) - 0.5 ** ((ageMs + durationMs) / 2_000)
        weighted += weight * value
        weights += weight
        ageMs += durationMs
      }
      expect(ewma.estimate() ?? Number.NaN).toBeCloseTo(weighted / weights, 3)
    }),
  )
})

test('it knows nothing before the first sample and repeats a constant exactly from the first on', () => {
  const ewma = new Ewma(5_000)
  expect(ewma.estimate()).toBeUndefined()
  ewma.add(7, 0)
  expect(ewma.estimate()).toBeUndefined()
  ewma.add(7, 1)
  expect(ewma.estimate()).toBeCloseTo(7)
})

test('it refuses what is not a quantity and quotes it', () => {
  expect(() => new Ewma(2_000).add(Number.NaN, 1)).toThrow('value must be a finite number >= 0, got NaN')
  expect(() => new Ewma(2_000).add(1, -5)).toThrow('-5')
})
