import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FailureAttribution } from './failure-attribution.js'
import { FailureHistory } from './failure-history.js'

/** Failures of stores, by when, and a verdict 2.5 s after the last of them. */
function judged(
  failures: readonly { store: string; atMs: number }[],
  o: { pLinkNotGood?: number; lifeMs?: number } = {},
): Map<string, FailureHistory> {
  const attribution = new FailureAttribution()
  const histories = new Map(failures.map(({ store }) => [store, new FailureHistory()]))
  const lastMs = Math.max(...failures.map(({ atMs }) => atMs))
  const steps = [...failures].sort((a, b) => a.atMs - b.atMs)
  for (let nowMs = 0; nowMs <= lastMs + 2_500; nowMs += 50) {
    for (let next = steps[0]; next !== undefined && next.atMs <= nowMs; next = steps[0]) {
      steps.shift()
      attribution.failed({ ...next, weight: 1, history: histories.get(next.store) as FailureHistory })
    }
    if (o.lifeMs !== undefined && nowMs >= o.lifeMs && nowMs < o.lifeMs + 50) attribution.signOfLife(nowMs)
    if (nowMs % 250 === 0) attribution.review(nowMs, o.pLinkNotGood ?? 0)
  }
  return histories
}
const counted = (histories: Map<string, FailureHistory>): number[] =>
  [...histories.values()].map(({ evidence }) => evidence.failures)

test('one store that fails alone keeps its failure', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5_000 }), (atMs) => {
      expect(counted(judged([{ store: 'a', atMs }]))).toEqual([1])
    }),
  )
})

test('two that fail within a second with no sign of life since have one cause, which is not theirs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 450 }), (apartMs) => {
      const both = [
        { store: 'a', atMs: 1_000 },
        { store: 'b', atMs: 1_000 + apartMs },
      ]
      expect(counted(judged(both))).toEqual([0, 0])
      expect(counted(judged([both[0] as never, { store: 'b', atMs: 3_500 + apartMs }]))).toEqual([1, 1])
      // somebody lived on clearly after both
      expect(counted(judged(both, { lifeMs: 1_350 + apartMs }))).toEqual([1, 1])
    }),
  )
})

test('a link that turns out bad takes the failure back, once', () => {
  expect(counted(judged([{ store: 'a', atMs: 1_000 }], { pLinkNotGood: 0.9 }))).toEqual([0])
  expect(counted(judged([{ store: 'a', atMs: 1_000 }], { pLinkNotGood: 0.4 }))).toEqual([1])
})

test('however many fail, counts never go below none, and beyond sixteen they stay', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 60 }), (stores) => {
      const histories = judged(stores.map((store) => ({ store, atMs: 1_000 })))
      const left = counted(histories).reduce((sum, failures) => sum + failures, 0)
      const several = new Set(stores.slice(-16)).size > 1
      expect(left).toBe(several ? Math.max(0, stores.length - 16) : stores.length)
    }),
  )
})
