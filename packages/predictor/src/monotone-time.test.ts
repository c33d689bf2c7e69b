import { expect, test } from 'vitest'
import { MonotoneTime } from './monotone-time.js'

test('a small step back is no time at all', () => {
  const time = new MonotoneTime()
  expect([1_000, 998, 1_001].map((ms) => time.advance(ms))).toEqual([1_000, 1_000, 1_001])
})

test('a large step back is a restarted clock that runs on, and the past is told on its axis', () => {
  const time = new MonotoneTime()
  time.advance(1e9)
  expect([0, 250, 500].map((ms) => time.advance(ms))).toEqual([1e9, 1e9 + 250, 1e9 + 500])
  expect(time.callersMs(1e9 + 250)).toBe(250)
})

test('what is not a finite number is refused', () => {
  expect(() => new MonotoneTime().advance(Number.NaN)).toThrow('got NaN')
})
