import { expect, test } from 'vitest'
import { seededRandom } from '../support/links/index.js'

const take = (seed: number | string, count: number) => Array.from({ length: count }, seededRandom(seed))

test('the same seed gives the same sequence, another seed another', () => {
  expect(take('a', 50)).toEqual(take('a', 50))
  expect(take(1, 50)).not.toEqual(take(2, 50))
})

test('numbers lie in [0, 1) and fill it evenly', () => {
  const numbers = take(7, 20_000)
  const tenths = Array.from({ length: 10 }, () => 0)
  for (const number of numbers) tenths[Math.floor(number * 10)] = (tenths[Math.floor(number * 10)] ?? 0) + 1
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
  // 2000 each, standard deviation 42
  for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(210)
})

test('neighbouring seeds start apart', () => {
  const firsts = Array.from({ length: 100 }, (_, seed) => seededRandom(seed)())
  expect(new Set(firsts.map((first) => Math.floor(first * 10))).size).toBe(10)
})
