import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PredictorError } from './predictor-error.js'
import { RemainingTime } from './remaining-time.js'

const MB = 1_000_000

/** Acknowledged each 100 ms at this rate. */
function uploading(time: RemainingTime, o: { fromMs: number; ms: number; bytes: number; rate: () => number }): number {
  let bytes = o.bytes
  for (let t = 100; t <= o.ms; t += 100) {
    bytes += o.rate() / 10
    time.acknowledged(o.fromMs + t, bytes)
  }
  return bytes
}

test('nothing is said before two seconds were seen', () => {
  const time = new RemainingTime()
  time.rest(0, 0)
  expect(time.estimate(MB)).toBeUndefined()
  uploading(time, { fromMs: 0, ms: 1_900, bytes: 0, rate: () => MB })
  expect(time.estimate(MB)).toBeUndefined()
})

test('a steady path gives a narrow interval around the end', () => {
  const time = new RemainingTime()
  time.rest(0, 0)
  uploading(time, { fromMs: 0, ms: 10_000, bytes: 0, rate: () => 2 * MB })
  const estimate = time.estimate(20 * MB)
  expect(estimate?.bytesPerSecond).toBeCloseTo(2 * MB, -3)
  expect(estimate?.leastMs).toBeGreaterThan(8_000)
  expect(estimate?.leastMs).toBeLessThan(10_000)
  expect(estimate?.mostMs).toBeGreaterThan(10_000)
  expect(estimate?.mostMs).toBeLessThan(12_000)
})

test('a rest says nothing of the path: neither its time nor bytes that came without it', () => {
  const time = new RemainingTime()
  time.rest(0, 0)
  const bytes = uploading(time, { fromMs: 0, ms: 10_000, bytes: 0, rate: () => MB })
  time.rest(3_600_000, bytes + 500 * MB)
  uploading(time, { fromMs: 3_600_000, ms: 5_000, bytes: bytes + 500 * MB, rate: () => MB })
  expect(time.estimate(MB)?.bytesPerSecond).toBeCloseTo(MB, -3)
})

test('the interval is never the wrong way round, and nothing is left of nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 50 * MB }), { minLength: 3 }), fc.nat(), (rates, remaining) => {
      const time = new RemainingTime()
      time.rest(0, 0)
      let bytes = 0
      for (const [i, rate] of rates.entries()) {
        bytes += rate
        time.acknowledged((i + 1) * 1_000, bytes)
      }
      const { leastMs = 0, mostMs = 0 } = time.estimate(remaining) ?? {}
      expect(leastMs).toBeLessThanOrEqual(mostMs)
      expect(Number.isFinite(mostMs)).toBe(true)
      expect(time.estimate(0)).toMatchObject({ leastMs: 0, mostMs: 0 })
    }),
  )
})

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('%s bytes are refused', (bytes) => {
  const time = new RemainingTime()
  expect(() => time.acknowledged(0, bytes)).toThrow(PredictorError)
})

/** A rate that wanders, and breaks off now and then: log-normal with a memory of five seconds, and outages. */
function wandering(random: () => number): () => number {
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const [mean, kept] = [MB * Math.exp(gauss()), Math.exp(-100 / 5_000)]
  let [logRate, isOut] = [gauss(), false]
  return () => {
    if (random() < (isOut ? 100 / 3_000 : 100 / 60_000)) isOut = !isOut
    logRate = kept * logRate + Math.sqrt(1 - kept ** 2) * gauss()
    return isOut ? 0 : mean * Math.exp(0.4 * logRate)
  }
}

/** The same numbers at each run (an LCG of Numerical Recipes). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('of five uploads over paths that wander and break off, at least four end within their interval', () => {
  const random = seeded(7)
  const within: boolean[] = []
  for (let run = 0; run < 200; run++) {
    const [rate, ticks] = [wandering(random), Math.round(100 * Math.exp(3.4 * random()))]
    const acked: number[] = []
    for (let i = 0; i < ticks; i++) acked.push((acked.at(-1) ?? 0) + rate() / 10)
    const total = acked.at(-1) ?? 0
    const time = new RemainingTime()
    time.rest(0, 0)
    let asked = 0
    for (const [i, bytes] of acked.entries()) {
      time.acknowledged((i + 1) * 100, bytes)
      if (bytes < total * (0.1 + 0.2 * asked) || asked > 4) continue
      asked += 1
      const estimate = time.estimate(total - bytes)
      const leftMs = (ticks - i - 1) * 100
      if (estimate) within.push(leftMs >= estimate.leastMs && leftMs <= estimate.mostMs)
    }
  }
  const share = within.filter(Boolean).length / within.length
  expect(within.length).toBeGreaterThan(800)
  expect(share).toBeGreaterThan(0.8)
})
