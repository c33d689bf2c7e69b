import fc from 'fast-check'
import { expect, test } from 'vitest'
import { combineSchedules, rebaseSchedule, unlimitedBytesPerSecond } from '../support/links/index.js'
import { bytesBetween, parseRate, rateAt, timeOfBytes } from '../support/links/rate-schedule.js'
import { anySchedule } from './any-schedule.js'

const steps = [
  { atMs: 0, bytesPerSecond: 1000 },
  { atMs: 1000, bytesPerSecond: 0 },
  { atMs: 3000, bytesPerSecond: 500 },
]

test('the rate of a step holds from its instant to the next step; before the first it is 0', () => {
  expect([-1, 0, 999, 1000, 3000, 1e9].map((atMs) => rateAt(steps, atMs))).toEqual([0, 1000, 1000, 0, 500, 500])
})

test('bytes are the area under the steps', () => {
  expect(bytesBetween(steps, 500, 4000)).toBe(1000)
  expect(bytesBetween(steps, 4000, 4000)).toBe(0)
})

test('an outage is waited out, one without end takes forever', () => {
  expect(timeOfBytes(steps, 0, 1000)).toBe(1000)
  expect(timeOfBytes(steps, 0, 1001)).toBe(3002)
  expect(timeOfBytes([{ atMs: 0, bytesPerSecond: 0 }], 0, 1)).toBe(Number.POSITIVE_INFINITY)
})

test('the time of an amount is where its area ends', () => {
  fc.assert(
    fc.property(
      anySchedule,
      fc.double({ min: 0, max: 5000, noNaN: true }),
      fc.nat(1_000_000),
      (schedule, fromMs, bytes) => {
        const endMs = timeOfBytes(schedule, fromMs, bytes)
        fc.pre(Number.isFinite(endMs))
        expect(bytesBetween(schedule, fromMs, endMs)).toBeCloseTo(bytes, 3)
      },
    ),
  )
})

test('a rebased schedule has the same rates at the same instants', () => {
  fc.assert(
    fc.property(anySchedule, fc.integer({ min: 0, max: 5000 }), fc.nat(6000), (schedule, originMs, laterMs) => {
      const rebased = rebaseSchedule(schedule, originMs)
      expect(rebased[0]?.atMs).toBe(0)
      expect(rateAt(rebased, laterMs)).toBe(rateAt(schedule, originMs + laterMs))
    }),
  )
})

test('combined schedules are combined at every instant', () => {
  fc.assert(
    fc.property(fc.array(anySchedule, { minLength: 1, maxLength: 4 }), fc.nat(6000), (schedules, atMs) => {
      const sum = combineSchedules(schedules, (rates) => rates.reduce((a, b) => a + b, 0))
      expect(rateAt(sum, atMs)).toBe(schedules.reduce((total, schedule) => total + rateAt(schedule, atMs), 0))
    }),
  )
})

test('a number is a schedule of one step, and Infinity stays a number to count with', () => {
  expect(parseRate(5, 'rate')).toEqual([{ atMs: 0, bytesPerSecond: 5 }])
  expect(rateAt(parseRate(Number.POSITIVE_INFINITY, 'rate'), 0)).toBe(unlimitedBytesPerSecond)
})

test('a bad rate is refused with its name and value', () => {
  expect(() => parseRate(-1, 'upBytesPerSecond')).toThrow('upBytesPerSecond: bytesPerSecond must be at least 0, not -1')
  expect(() => parseRate(Number.NaN, 'rate')).toThrow('not NaN')
  expect(() => parseRate([], 'rate')).toThrow('at least one step')
  expect(() => parseRate([...steps, { atMs: 3000, bytesPerSecond: 1 }], 'rate')).toThrow('3000')
})
