import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CopyStakes, describeGain, estimateCopyGain, refuseGain } from './copy-gain.js'

/** Silent for 2 s, 60 s to go by what its fading rate says, and 3 s elsewhere. */
const stakes: CopyStakes = {
  ...{ server: 0.8, straggle: 0.5, storeIsSuspect: false, isGivenUp: false },
  ...{ gapMs: 2_000, expectedRemainingMs: 60_000, alternativeMs: 3_000 },
}
const refusal = (changed: Partial<CopyStakes>, threshold = 0.7) =>
  refuseGain(estimateCopyGain({ ...stakes, ...changed }), { threshold, isGivenUp: changed.isGivenUp ?? false })

test('the formula, by hand', () => {
  // P = 1 - 0.2 * 0.5; at most twice the silence and twice the time elsewhere is believed: 10 s, less 3 s
  const gain = estimateCopyGain(stakes)
  expect(gain).toMatchObject({ pServer: 0.9, savedMs: 7_000, costMs: 3_000 })
  expect(gain.worth).toBeCloseTo((0.9 * 7) / (0.9 * 7 + 0.1 * 3))
  expect(describeGain(gain)).toBe('it saves 7.0 s at 90 % and costs 3.0 s else')
})

test('a copy that saves as much as it costs is worth the probability that it is needed', () => {
  const gain = estimateCopyGain({ ...stakes, straggle: 0, gapMs: 0, expectedRemainingMs: 6_000 })
  expect(gain.worth).toBeCloseTo(0.8)
})

test('the silence counts once: a forecast that holds it already is taken as it is', () => {
  const saved = (gapMs: number) => estimateCopyGain({ ...stakes, expectedRemainingMs: 5_000, gapMs }).savedMs
  expect([saved(1_000), saved(4_000)]).toEqual([2_000, 2_000])
})

test('what is given up otherwise is copied whatever it saves: its bytes are sent again all the same', () => {
  expect(estimateCopyGain({ ...stakes, isGivenUp: true, expectedRemainingMs: 1 })).toMatchObject({
    costMs: 0,
    worth: 1,
  })
  expect(refusal({ isGivenUp: true, server: 0, straggle: 0, expectedRemainingMs: 1 }, 1)).toBeUndefined()
})

test('a refusal says whether it is the link, or what the copy would save and cost', () => {
  expect(refusal({})).toBeUndefined()
  expect(refusal({ server: 0.15, straggle: 0 })).toEqual({
    code: 'risk',
    reason: "it may be the link: the server's trouble at 15 %",
  })
  expect(refusal({ expectedRemainingMs: 3_499 })).toEqual({ code: 'gain', reason: 'it would save 0.5 s' })
  expect(refusal({ server: 0.4, straggle: 0 })).toEqual({
    code: 'gain',
    reason: 'it saves 7.0 s at 40 % and costs 3.0 s else: worth 0.61, which is below 0.7',
  })
  expect(refusal({ server: 0.4, straggle: 0 }, 0.6)).toBeUndefined()
})

const share = fc.double({ min: 0, max: 1, noNaN: true })
const ms = fc.double({ min: 0, max: 1e8, noNaN: true })
const anyStakes: fc.Arbitrary<CopyStakes> = fc.record({
  ...{ server: share, straggle: share, storeIsSuspect: fc.boolean(), isGivenUp: fc.boolean() },
  gapMs: ms,
  expectedRemainingMs: fc.oneof(ms, fc.constant(Number.POSITIVE_INFINITY)),
  alternativeMs: ms,
})

test('worth is a share; nothing in it is negative or endless', () => {
  fc.assert(
    fc.property(anyStakes, (one) => {
      const { pServer, savedMs, costMs, worth } = estimateCopyGain(one)
      for (const value of [pServer, worth]) expect(value >= 0 && value <= 1).toBe(true)
      for (const value of [savedMs, costMs]) expect(value >= 0 && Number.isFinite(value)).toBe(true)
    }),
  )
})

test('a surer blame, a longer silence and a longer rest never make a copy worth less, a slower mirror never more', () => {
  const more = fc.record({ server: share, straggle: share, gapMs: ms, expectedRemainingMs: ms, slower: ms })
  fc.assert(
    fc.property(anyStakes, more, (one, { server, straggle, gapMs, expectedRemainingMs, slower }) => {
      const { worth } = estimateCopyGain(one)
      const worthOf = (changed: Partial<CopyStakes>) => estimateCopyGain({ ...one, ...changed }).worth
      const close = worth - 1e-9
      expect(worthOf({ server: Math.max(one.server, server) })).toBeGreaterThanOrEqual(close)
      expect(worthOf({ straggle: Math.max(one.straggle, straggle) })).toBeGreaterThanOrEqual(close)
      expect(worthOf({ gapMs: one.gapMs + gapMs })).toBeGreaterThanOrEqual(close)
      expect(worthOf({ expectedRemainingMs: one.expectedRemainingMs + expectedRemainingMs })).toBeGreaterThanOrEqual(
        close,
      )
      expect(worthOf({ alternativeMs: one.alternativeMs + slower })).toBeLessThanOrEqual(worth + 1e-9)
    }),
  )
})

test('no silence however long starts a copy that only history speaks for', () => {
  fc.assert(
    fc.property(anyStakes, share, (one, threshold) => {
      const gain = estimateCopyGain({ ...one, server: 0.15, straggle: 0.1, storeIsSuspect: false, isGivenUp: false })
      expect(refuseGain(gain, { threshold, isGivenUp: false })?.code).toBe('risk')
    }),
  )
})
