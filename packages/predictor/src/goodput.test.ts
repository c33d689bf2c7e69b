import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Goodput } from './goodput.js'

/** The fading mean by plain recursion over single milliseconds. */
function reference(samples: { rate: number; durationMs: number }[], halfLifeMs: number): number {
  const kept = 0.5 ** (1 / halfLifeMs)
  let mean = 0
  let weight = 0
  for (const { rate, durationMs } of samples) {
    for (let ms = 0; ms < durationMs; ms++) {
      mean = kept * mean + (1 - kept) * rate
      weight = kept * weight + (1 - kept)
    }
  }
  return mean / weight
}

test('it is the lesser of two fading means with half-lives of 2 s and 5 s', () => {
  const sample = fc.record({
    bytes: fc.integer({ min: 16_000, max: 5e6 }),
    durationMs: fc.integer({ min: 1, max: 900 }),
  })
  fc.assert(
    fc.property(fc.array(sample, { minLength: 8, maxLength: 20 }), (samples) => {
      const goodput = new Goodput()
      for (const one of samples) goodput.add(one)
      const rates = samples.map(({ bytes, durationMs }) => ({ rate: (bytes / durationMs) * 1000, durationMs }))
      const expected = Math.min(reference(rates, 2_000), reference(rates, 5_000))
      expect((goodput.bytesPerSecond() ?? 0) / expected).toBeCloseTo(1, 6)
    }),
    { numRuns: 30 },
  )
})

test('it answers only from 128 kB on', () => {
  const goodput = new Goodput()
  for (let n = 0; n < 7; n++) goodput.add({ bytes: 16_000, durationMs: 100 })
  expect(goodput.bytesPerSecond()).toBeUndefined()
  goodput.add({ bytes: 16_000, durationMs: 100 })
  expect(goodput.bytesPerSecond()).toBeCloseTo(160_000)
})

test('small samples are gathered, not lost', () => {
  const goodput = new Goodput()
  for (let n = 0; n < 200; n++) goodput.add({ bytes: 1_000, durationMs: 10 })
  expect(goodput.bytesPerSecond()).toBeCloseTo(100_000)
})

test('app-limited samples change nothing', () => {
  const goodput = new Goodput()
  for (let n = 0; n < 20; n++) goodput.add({ bytes: 100_000, durationMs: 100 })
  goodput.add({ bytes: 100, durationMs: 60_000, appLimited: true })
  expect(goodput.bytesPerSecond()).toBeCloseTo(1_000_000)
})

test('after a fall it follows the fast mean, after a rise the slow one', () => {
  const goodput = new Goodput()
  for (let n = 0; n < 300; n++) goodput.add({ bytes: 100_000, durationMs: 100 })
  for (let n = 0; n < 20; n++) goodput.add({ bytes: 20_000, durationMs: 100 })
  expect(goodput.bytesPerSecond()).toBeCloseTo(600_000, -4)
  for (let n = 0; n < 20; n++) goodput.add({ bytes: 100_000, durationMs: 100 })
  expect(goodput.bytesPerSecond()).toBeLessThan(830_000)
})

test('what is no quantity is refused and quoted, and changes nothing', () => {
  const goodput = new Goodput()
  for (let n = 0; n < 20; n++) goodput.add({ bytes: 100_000, durationMs: 100 })
  for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    expect(() => goodput.add({ bytes: bad, durationMs: 100 })).toThrow(String(bad))
    expect(() => goodput.add({ bytes: 100_000, durationMs: bad })).toThrow(String(bad))
  }
  expect(goodput.bytesPerSecond()).toBeCloseTo(1_000_000)
})
