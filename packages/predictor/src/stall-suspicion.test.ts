import fc from 'fast-check'
import { errorFunction } from 'simple-statistics'
import { expect, test } from 'vitest'
import { StallSuspicion } from './stall-suspicion.js'

const FLOOR_MS = 150

function rhythm(gapsMs: number[]): StallSuspicion {
  const suspicion = new StallSuspicion()
  for (const gapMs of gapsMs) suspicion.learn(gapMs, FLOOR_MS)
  return suspicion
}

test('at the expected gap phi is log10 of 2', () => {
  expect(rhythm(new Array(30).fill(400)).phi(400, FLOOR_MS)).toBeCloseTo(Math.log10(2), 1)
  expect(new StallSuspicion().phi(FLOOR_MS, FLOOR_MS)).toBeCloseTo(Math.log10(2), 5)
})

test('a second of silence in a rhythm of 100 ms is beyond phi 2', () => {
  expect(rhythm(new Array(30).fill(100)).phi(1_000, FLOOR_MS)).toBeGreaterThan(2)
})

test('slow but steady is not suspicious', () => {
  expect(rhythm(new Array(30).fill(300)).phi(450, FLOOR_MS)).toBeLessThan(1)
  expect(rhythm(new Array(30).fill(2_000)).phi(3_000, FLOOR_MS)).toBeLessThan(1)
})

test('mean and spread are those of the last gaps, each weighted by its recursion', () => {
  const gap = fc.integer({ min: 60, max: 400 })
  fc.assert(
    fc.property(fc.array(gap, { minLength: 1, maxLength: 15 }), (gapsMs) => {
      const suspicion = rhythm(gapsMs)
      // Up to the memory of 20 the recursion is the plain mean and variance, the cold prior counting as one sample.
      const logs = [150, ...gapsMs].map(Math.log)
      const mean = logs.reduce((a, b) => a + b, 0) / logs.length
      const squares = logs.reduce((a, b) => a + (b - mean) ** 2, 0)
      expect(suspicion.meanLog).toBeCloseTo(mean, 9)
      expect(suspicion.variance).toBeCloseTo((squares + 0.36) / logs.length, 9)
    }),
  )
})

test('a failure gap is not learned, a new rhythm is', () => {
  const suspicion = rhythm(new Array(30).fill(100))
  const before = suspicion.expectedGapMs(0)
  expect(suspicion.learn(5_000, FLOOR_MS)).toBe(false)
  expect(suspicion.expectedGapMs(0)).toBe(before)
  for (let n = 0; n < 40; n++) suspicion.learn(5_000, FLOOR_MS)
  expect(suspicion.phi(5_000, FLOOR_MS)).toBeLessThan(1)
})

test('phi never falls as the silence grows, is never NaN and never negative', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { maxLength: 40 })
  fc.assert(
    fc.property(
      gaps,
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 1, max: 1e6, noNaN: true }),
      (list, gapMs, more) => {
        const suspicion = rhythm(list)
        const phi = suspicion.phi(gapMs, FLOOR_MS)
        expect(phi).toBeGreaterThanOrEqual(0)
        expect(suspicion.phi(gapMs + more, FLOOR_MS)).toBeGreaterThanOrEqual(phi - 1e-6)
        expect(Number.isFinite(phi)).toBe(true)
      },
    ),
  )
})

test('phi is -log10 of the tail of the log-normal of its gaps, as simple-statistics has it', () => {
  const gapsMs = fc.array(fc.integer({ min: 60, max: 600 }), { minLength: 4, maxLength: 15 })
  fc.assert(
    fc.property(gapsMs, fc.double({ min: 1, max: 2_000, noNaN: true }), (list, gapMs) => {
      const suspicion = rhythm(list)
      const sigma = Math.min(1.5, Math.max(0.6, Math.sqrt(suspicion.variance)))
      const expected = Math.max(Math.log(FLOOR_MS), suspicion.meanLog)
      const tail = (1 - errorFunction((Math.log(gapMs) - expected) / sigma / Math.SQRT2)) / 2
      expect(10 ** -suspicion.phi(gapMs, FLOOR_MS)).toBeCloseTo(tail, 6)
    }),
  )
})
