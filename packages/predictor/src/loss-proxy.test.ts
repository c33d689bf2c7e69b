import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LossProxy } from './loss-proxy.js'

const RTO_MS = 300

test('it is the share of gaps beyond the RTO, each weighing 0.98 of the one after it', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 8, maxLength: 200 })
  fc.assert(
    fc.property(gaps, (list) => {
      const loss = new LossProxy()
      for (const gapMs of list) loss.add(gapMs, RTO_MS)
      // Reference: the weighted mean, summed over all gaps.
      const weight = (at: number): number => 0.98 ** (list.length - 1 - at)
      const all = list.reduce((sum, _, at) => sum + weight(at), 0)
      const late = list.reduce((sum, gapMs, at) => sum + (gapMs > RTO_MS ? weight(at) : 0), 0)
      expect(loss.share() ?? Number.NaN).toBeCloseTo(late / all, 9)
    }),
  )
})

test('seven gaps say nothing yet, and what is no duration is refused', () => {
  const loss = new LossProxy()
  for (let n = 0; n < 7; n++) loss.add(1_000, RTO_MS)
  expect(loss.share()).toBeUndefined()
  expect(() => loss.add(Number.NaN, RTO_MS)).toThrow('NaN')
  expect(() => loss.add(1, -1)).toThrow('-1')
})
