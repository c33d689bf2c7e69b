import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { auc, logisticOf } from 'upload-predictor'
import { expect, test } from 'vitest'
import { aucOf, countPairs, estimateAuc, estimateGain } from './auc-over-traces.js'
import { RecentDurations } from './baselines.js'
import { fitNotNegative, fitRidge } from './logistic.js'
import { trainingLink } from './training-links.js'

const TRACES = ['a', 'b', 'c']

function scored(seed: string) {
  const random = seededRandom(seed)
  return Array.from({ length: 300 }, (_, at) => {
    const failed = random() < 0.3
    return { score: Math.round(20 * (random() + (failed ? 0.3 : 0))) / 30, failed, trace: TRACES[at % 3] ?? 'a' }
  })
}

test('the AUC counted by pairs of traces is the AUC, also of a resample', () => {
  const list = scored('auc')
  const pairs = countPairs(list, TRACES)
  const plain = (of: typeof list) => auc(of.map(({ score, failed }) => ({ p: score, failed })))
  expect(aucOf(pairs)).toBeCloseTo(plain(list), 12)
  const [first, second] = TRACES.map((trace) => list.filter((one) => one.trace === trace))
  expect(aucOf(pairs, [2, 1, 0])).toBeCloseTo(plain([first ?? [], first ?? [], second ?? []].flat()), 12)
})

test('an interval holds its value; against itself there is nothing to gain; a missing class gives none', () => {
  const pairs = countPairs(scored('interval'), TRACES)
  const found = estimateAuc(pairs, seededRandom('draws'))
  expect(found?.low).toBeLessThanOrEqual(found?.value ?? 0)
  expect(found?.high).toBeGreaterThanOrEqual(found?.value ?? 1)
  expect(estimateGain(pairs, pairs, seededRandom('draws'))).toEqual({ value: 0, low: 0, high: 0 })
  const healthy = scored('interval').filter(({ failed }) => !failed)
  expect(estimateAuc(countPairs(healthy, TRACES), seededRandom('draws'))).toBeUndefined()
})

test('logistic regression finds the weights that made its samples', () => {
  const random = seededRandom('logistic')
  const truth = [-1, 2, -0.5]
  const samples = Array.from({ length: 20_000 }, () => {
    const x = [1, 2 * random() - 1, 4 * random() - 2]
    return { x, y: random() < logisticOf(truth, x) }
  })
  for (const [at, weight] of fitRidge(samples).entries()) expect(weight).toBeCloseTo(truth[at] ?? 0, 0)
})

test('timers that adapt remember the last durations', () => {
  const durations = new RecentDurations()
  expect([durations.p90(), durations.thirdFinisher()]).toEqual([undefined, undefined])
  for (let second = 1; second <= 10; second++) durations.add(second * 1_000)
  expect([durations.p90(), durations.thirdFinisher()]).toEqual([9_000, 8_000])
})

test('weights that may not be negative: what would lower the answer weighs nothing, the rest is fitted without it', () => {
  const random = seededRandom('not negative')
  const samples = Array.from({ length: 4_000 }, () => {
    const x = [1, 2 * random() - 1, 2 * random() - 1]
    return { x, y: random() < logisticOf([-1, 2, -3], x) }
  })
  const [constant = 0, rises = 0, falls = 0] = fitNotNegative(samples)
  expect(falls).toBe(0)
  expect(rises).toBeGreaterThan(0.5)
  const without = fitRidge(samples.map(({ x, y }) => ({ x: x.slice(0, 2), y })))
  expect([constant, rises]).toEqual(without)
})

test('a made-up link is that of its seed, and no two seeds have the same', () => {
  const ratesOf = (seed: string) => {
    const link = trainingLink('made-up', seededRandom(seed))
    return Array.from({ length: 100 }, (_, second) => link.bytesPerMsAt(1_000 * second))
  }
  expect(ratesOf('1')).toEqual(ratesOf('1'))
  expect(ratesOf('1')).not.toEqual(ratesOf('2'))
  for (const seed of ['1', '2', '3', '4', '5']) expect(Math.max(...ratesOf(seed))).toBeGreaterThan(0)
})
