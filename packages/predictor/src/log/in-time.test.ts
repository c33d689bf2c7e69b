import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inTime } from './in-time.js'
import type { LogEvent } from './log-event.js'

const at = (elapsedMs: number, n: number): LogEvent => ({ type: 'heard', store: 'a', at: 0, n, elapsedMs })
const times = (...elapsedMs: number[]) => {
  const { timed, misdated } = inTime(elapsedMs.map(at))
  return [timed.map((event) => event.elapsedMs), misdated]
}

test('one event with a wrong time is left out, and none of those that agree with each other', () => {
  expect(times(0, 100, 9e8, 200, 300)).toEqual([[0, 100, 200, 300], 1])
  expect(times(9e8, 0, 100, 200)).toEqual([[0, 100, 200], 1])
  expect(times(50_000, 0, 60_000, 70_000)).toEqual([[0, 60_000, 70_000], 1])
})

test('a small step back is moved between its neighbours', () => {
  expect(times(0, 1_000, 999, 1_001)).toEqual([[0, 999, 999, 1_001], 0])
})

test('whatever the times, they rise, and nothing is lost but what is counted', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20_000)), (elapsedMs) => {
      const { timed, misdated } = inTime(elapsedMs.map(at))
      expect(timed.length + misdated).toBe(elapsedMs.length)
      const kept = timed.map((event) => event.elapsedMs)
      expect(kept).toEqual(kept.toSorted((a, b) => a - b))
    }),
  )
})
