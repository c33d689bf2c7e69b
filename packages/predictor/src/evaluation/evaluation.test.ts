import fc from 'fast-check'
import { mean, quantile, wilcoxonRankSum } from 'simple-statistics'
import { expect, test } from 'vitest'
import { PredictorError } from '../predictor-error.js'
import { auc } from './auc.js'
import { bootstrapInterval } from './bootstrap.js'
import { expectedCalibrationError, reliabilityBins } from './calibration-error.js'
import { atCopyRate } from './copy-rate.js'
import type { Prediction } from './prediction.js'
import { brier, brierSkill, logLoss } from './scores.js'

/** Thousandths and eighths: no subnormals, which halving would tie, and many ties. */
const probability = fc.oneof(
  fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000),
  fc.integer({ min: 0, max: 8 }).map((eighths) => eighths / 8),
)
const prediction = fc.record({ p: probability, failed: fc.boolean() })
const some = fc.array(prediction, { minLength: 1, maxLength: 60 })
const ofBothClasses = fc
  .tuple(some, prediction, prediction)
  .map(([rest, a, b]) => [{ ...a, failed: true }, ...rest, { ...b, failed: false }])

const psOf = (list: readonly Prediction[], failed: boolean): number[] =>
  list.filter((one) => one.failed === failed).map(({ p }) => p)

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return error instanceof PredictorError ? error.code : String(error)
  }
  return undefined
}

/** Uniform enough, and the same each time. */
function lcg(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

test('without ties, AUC is what simple-statistics’ rank sum says', () => {
  fc.assert(
    fc.property(ofBothClasses, (tied) => {
      const list = tied.map((one, at) => ({ ...one, p: (one.p + at / 1e6) / 2 }))
      const [failed, healthy] = [psOf(list, true), psOf(list, false)]
      const oracle =
        (wilcoxonRankSum(failed, healthy) - (failed.length * (failed.length + 1)) / 2) /
        (failed.length * healthy.length)
      expect(auc(list)).toBeCloseTo(oracle, 10)
    }),
  )
})

test('AUC is the share of pairs in the right order, ties counting half', () => {
  fc.assert(
    fc.property(ofBothClasses, (list) => {
      const wins = psOf(list, true).flatMap((a) => psOf(list, false).map((b) => (a > b ? 1 : a === b ? 0.5 : 0)))
      expect(auc(list)).toBeCloseTo(mean(wins), 10)
    }),
  )
})

test('AUC knows only the order of the ps: a rising map changes nothing, a falling one mirrors it', () => {
  fc.assert(
    fc.property(ofBothClasses, (list) => {
      expect(auc(list.map((one) => ({ ...one, p: one.p / 2 })))).toBeCloseTo(auc(list), 10)
      expect(auc(list.map((one) => ({ ...one, p: (1 - one.p) / 2 })))).toBeCloseTo(1 - auc(list), 8)
    }),
  )
})

test('the Brier score is the mean squared error, and the base rate’s own skill is 0', () => {
  fc.assert(
    fc.property(ofBothClasses, (list) => {
      expect(brier(list)).toBeCloseTo(mean(list.map(({ p, failed }) => (p - (failed ? 1 : 0)) ** 2)), 10)
      const base = psOf(list, true).length / list.length
      expect(brierSkill(list.map((one) => ({ ...one, p: base })))).toBeCloseTo(0, 10)
      expect(brierSkill(list)).toBeLessThanOrEqual(1)
    }),
  )
})

test('log-loss is least where p is the base rate, ln 2 for a coin, and finite for a certain error', () => {
  const list = [true, false, false, false].map((failed) => ({ p: 0.25, failed }))
  for (const p of [0.1, 0.2, 0.3, 0.6]) {
    expect(logLoss(list.map((one) => ({ ...one, p })))).toBeGreaterThan(logLoss(list))
  }
  expect(logLoss([{ p: 0.5, failed: true }])).toBeCloseTo(Math.LN2, 12)
  expect(logLoss([{ p: 0, failed: true }])).toBeCloseTo(-Math.log(1e-6), 6)
})

test('reliability bins hold every prediction once, in bins of equal count', () => {
  fc.assert(
    fc.property(some, fc.integer({ min: 1, max: 12 }), (list, bins) => {
      const found = reliabilityBins(list, bins)
      const counts = found.map(({ count }) => count)
      expect(counts.reduce((a, b) => a + b)).toBe(list.length)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      const failed = found.reduce((sum, { count, observed }) => sum + count * observed, 0)
      expect(failed).toBeCloseTo(psOf(list, true).length, 8)
      for (const { predicted, leastP, mostP } of found) {
        expect(predicted).toBeGreaterThanOrEqual(leastP - 1e-12)
        expect(predicted).toBeLessThanOrEqual(mostP + 1e-12)
      }
    }),
  )
})

test('the calibration error is 0 for a p that is the share that failed, and 0.3 for one 0.3 off', () => {
  const list = Array.from({ length: 1_000 }, (_, at) => ({
    p: at < 500 ? 0.2 : 0.6,
    failed: at % 10 < (at < 500 ? 2 : 6),
  }))
  expect(expectedCalibrationError(list)).toBeCloseTo(0, 10)
  expect(expectedCalibrationError(list.map((one) => ({ ...one, p: one.p + 0.3 })))).toBeCloseTo(0.3, 10)
})

test('no metric depends on the order of its input', () => {
  const metrics = [auc, brier, brierSkill, logLoss, expectedCalibrationError]
  fc.assert(
    fc.property(ofBothClasses, (list) => {
      const other = list.toReversed()
      for (const metric of metrics) expect(metric(other)).toBeCloseTo(metric(list), 10)
      expect(atCopyRate(other, 0.3)).toEqual(atCopyRate(list, 0.3))
    }),
  )
})

test('at a copy rate, the riskiest are copied: brute force over distinct ps says the same', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(prediction, { selector: ({ p }) => p, minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (list, share) => {
        const places = Math.floor(share * list.length)
        const copied = list.filter((one) => list.filter((other) => other.p > one.p).length < places)
        const caught = psOf(copied, true).length
        const failed = psOf(list, true).length
        const found = atCopyRate(list, share)
        expect(found.recall).toBe(failed === 0 ? undefined : caught / failed)
        expect(found.precision).toBe(places === 0 ? undefined : caught / places)
      },
    ),
  )
})

test('at a copy rate, tied ps share the last places', () => {
  const list = [true, false, false, true].map((failed) => ({ p: 0.5, failed }))
  expect(atCopyRate(list, 0.5)).toEqual({ recall: 0.5, precision: 0.5, threshold: 0.5 })
})

test('the bootstrap interval of a mean is as wide as theory says, and the same for the same random numbers', () => {
  const random = lcg(7)
  const list = Array.from({ length: 400 }, () => ({ p: random(), failed: false }))
  const meanP = (sample: readonly Prediction[]): number => mean(sample.map(({ p }) => p))
  const found = bootstrapInterval(list, meanP, { random: lcg(1) })
  const half = (1.96 * Math.sqrt(1 / 12)) / Math.sqrt(400)
  expect((found.high - found.low) / 2).toBeGreaterThan(0.8 * half)
  expect((found.high - found.low) / 2).toBeLessThan(1.2 * half)
  expect(bootstrapInterval(list, meanP, { random: lcg(1) })).toEqual(found)
})

test('the bootstrap draws whole groups: its values are those of their resamples', () => {
  const groups = [0.1, 0.4, 0.8]
  const list = groups.flatMap((p) => Array.from({ length: 5 }, () => ({ p, failed: false, group: String(p) })))
  const values: number[] = []
  const meanP = (sample: readonly Prediction[]): number => {
    expect(sample).toHaveLength(15)
    values.push(mean(sample.map(({ p }) => p)))
    return values.at(-1) ?? 0
  }
  const found = bootstrapInterval(list, meanP, { random: lcg(3), resamples: 500, confidence: 0.9 })
  const possible = groups.flatMap((a) => groups.flatMap((b) => groups.map((c) => mean([a, b, c]).toFixed(6))))
  for (const value of values) expect(possible).toContain(value.toFixed(6))
  expect(found.low).toBeCloseTo(quantile(values, 0.05), 1)
  expect(found.high).toBeCloseTo(quantile(values, 0.95), 1)
})

test('resamples of one class are left out, and counted', () => {
  const list = [
    { p: 0.9, failed: true, group: 'a' },
    { p: 0.1, failed: false, group: 'b' },
  ]
  const { low, high, counted } = bootstrapInterval(list, auc, { random: lcg(5), resamples: 200 })
  expect([low, high]).toEqual([1, 1])
  expect(counted).toBeGreaterThan(50)
  expect(counted).toBeLessThan(150)
})

test('nothing, NaN, what is no probability and a single class are refused by code', () => {
  const good = { p: 0.5, failed: true }
  for (const metric of [auc, brier, brierSkill, logLoss, expectedCalibrationError]) {
    expect(codeOf(() => metric([]))).toBe('noPredictions')
    for (const p of [Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY]) {
      expect(codeOf(() => metric([good, { p, failed: false }]))).toBe('invalidPrediction')
    }
  }
  for (const metric of [auc, brierSkill]) expect(codeOf(() => metric([good]))).toBe('oneClass')
  expect(codeOf(() => reliabilityBins([good], 0))).toBe('invalidOption')
  expect(codeOf(() => atCopyRate([good], Number.NaN))).toBe('invalidOption')
  expect(codeOf(() => atCopyRate([], 0.1))).toBe('noPredictions')
  const random = lcg(1)
  expect(codeOf(() => bootstrapInterval([], brier, { random }))).toBe('noPredictions')
  expect(codeOf(() => bootstrapInterval([good], auc, { random }))).toBe('oneClass')
  expect(codeOf(() => bootstrapInterval([good], brier, { random, resamples: 0 }))).toBe('invalidOption')
  expect(codeOf(() => bootstrapInterval([good], brier, { random, confidence: 1 }))).toBe('invalidOption')
})

test('log-loss and calibration error are what their definitions come to, prediction by prediction', () => {
  fc.assert(
    fc.property(fc.uniqueArray(prediction, { selector: ({ p }) => p, minLength: 1, maxLength: 60 }), (list) => {
      const kept = (p: number): number => Math.min(1 - 1e-6, Math.max(1e-6, p))
      expect(logLoss(list)).toBeCloseTo(-mean(list.map(({ p, failed }) => Math.log(kept(failed ? p : 1 - p)))), 9)
      // Reference: each prediction is in the bin of its rank.
      const bins = Math.min(10, list.length)
      const sorted = list.toSorted((a, b) => a.p - b.p)
      const gaps = Array.from({ length: bins }, (_, bin) => {
        const inside = sorted.filter((_, at) => Math.ceil(((at + 1) * bins) / list.length) === bin + 1)
        return Math.abs(inside.reduce((sum, { p, failed }) => sum + p - Number(failed), 0))
      })
      expect(expectedCalibrationError(list)).toBeCloseTo(gaps.reduce((a, b) => a + b) / list.length, 9)
    }),
  )
})
