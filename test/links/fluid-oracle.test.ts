import fc from 'fast-check'
import { expect, test } from 'vitest'
import { estimateIdealMs } from '../support/links/index.js'
import { rateAt } from '../support/links/rate-schedule.js'
import { anySchedule } from './any-schedule.js'

const constant = (bytesPerSecond: number) => [{ atMs: 0, bytesPerSecond }]

test('one path: a round trip, the bytes at its rate, half a round trip', () => {
  expect(estimateIdealMs({ sizeBytes: 125_000, roundTripMs: 100, paths: [constant(125_000)] })).toBe(1150)
})

test('paths add up until the last mile is full', () => {
  const paths = [constant(100_000), constant(300_000)]
  expect(estimateIdealMs({ sizeBytes: 400_000, roundTripMs: 0, paths })).toBe(1000)
  expect(estimateIdealMs({ sizeBytes: 400_000, roundTripMs: 0, paths, lastMile: constant(200_000) })).toBe(2000)
})

test('an outage of one path leaves the other, an outage of the last mile leaves nothing', () => {
  const broken = [
    { atMs: 0, bytesPerSecond: 100_000 },
    { atMs: 1000, bytesPerSecond: 0 },
    { atMs: 2000, bytesPerSecond: 100_000 },
  ]
  const paths = [broken, constant(50_000)]
  // 150 kB in the first second, 50 in the second, 100 at 150 kB/s
  expect(estimateIdealMs({ sizeBytes: 300_000, roundTripMs: 0, paths })).toBeCloseTo(2666.67, 1)
  expect(estimateIdealMs({ sizeBytes: 150_000, roundTripMs: 0, paths: [constant(1e6)], lastMile: broken })).toBe(2500)
})

test('what can never be done takes forever, what is nothing takes the round trips', () => {
  expect(estimateIdealMs({ sizeBytes: 1, roundTripMs: 20, paths: [] })).toBe(Number.POSITIVE_INFINITY)
  expect(estimateIdealMs({ sizeBytes: 1, roundTripMs: 20, paths: [constant(0)] })).toBe(Number.POSITIVE_INFINITY)
  expect(estimateIdealMs({ sizeBytes: 0, roundTripMs: 20, paths: [constant(1)] })).toBe(30)
})

test('agrees with counting every millisecond', () => {
  const upload = fc.record({
    sizeBytes: fc.integer({ min: 1, max: 100_000 }),
    roundTripMs: fc.integer({ min: 0, max: 400 }).map((half) => half * 2),
    lastMile: anySchedule,
    paths: fc.array(anySchedule, { minLength: 1, maxLength: 3 }),
  })
  fc.assert(
    fc.property(upload, (given) => {
      const idealMs = estimateIdealMs(given)
      let movedBytes = 0
      let nowMs = given.roundTripMs
      for (; movedBytes < given.sizeBytes - 1e-6 && nowMs < 8000; nowMs += 1) {
        const sum = given.paths.reduce((total, path) => total + rateAt(path, nowMs), 0)
        movedBytes += Math.min(sum, rateAt(given.lastMile, nowMs)) / 1000
      }
      fc.pre(nowMs < 8000)
      expect(Math.abs(nowMs + given.roundTripMs / 2 - idealMs)).toBeLessThanOrEqual(1)
    }),
    { numRuns: 50 },
  )
})
