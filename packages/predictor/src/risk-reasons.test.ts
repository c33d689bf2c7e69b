import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logistic } from './logistic.js'
import { combine, contributions, usualFactors } from './risk-combination.js'
import { FACTORS, type FactorEvidence, factorsOf } from './risk-factors.js'
import { type Reason, reasonsByPlan } from './risk-reasons.js'
import type { Standing } from './session-course.js'
import { ALL, Play, STEADY, three } from './testing/play.js'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const rate = fc.double({ min: 0, max: 1e9, noNaN: true })
const maybeRate = fc.option(rate, { nil: undefined })
const standing: fc.Arbitrary<Standing> = fc
  .record({ age: fc.double({ min: 0, max: 3, noNaN: true }), planMs: fc.double({ min: 1, max: 1e6, noNaN: true }) })
  .map(({ age, planMs }) => ({ age, plannedMs: planMs, allowanceMs: (2 - age) * planMs }))
const factorEvidence: fc.Arbitrary<FactorEvidence> = fc.record({
  remainingBytes: fc.double({ min: 0, max: 1e9, noNaN: true }),
  rate,
  shareNow: maybeRate,
  shareUsual: maybeRate,
  optimism: fc.double({ min: -3, max: 4, noNaN: true }),
  phi: fc.double({ min: 0, max: 50, noNaN: true }),
  server: share,
  straggle: share,
  late: share,
  link: share,
  storeDown: share,
})
const more = fc.record({
  gapMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  usualGapMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
  failedAgoMs: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }), { nil: undefined }),
})
const sumOf = (because: readonly Reason[]): number => because.reduce((sum, { weight }) => sum + weight, 0)
const riskOf = (at: Standing, e: FactorEvidence): number =>
  at.allowanceMs <= 0 ? 1 : combine(factorsOf(at, e), at.age)

test('what is usual and the weights add up to the log-odds of the risk, the greatest first', () => {
  fc.assert(
    fc.property(standing, factorEvidence, more, (at, e, m) => {
      const risk = riskOf(at, e)
      const { usualLogOdds, because } = reasonsByPlan({ risk, factors: factorsOf(at, e), standing: at, evidence: e }, m)
      expect(logistic(usualLogOdds + sumOf(because))).toBeCloseTo(risk, 9)
      const weights = because.map(({ weight }) => Math.abs(weight))
      expect(weights).toEqual(weights.toSorted((a, b) => b - a))
      for (const { text } of because) expect(text).not.toMatch(/NaN|Infinity|undefined/)
    }),
  )
})

test('a factor put back to what is usual lowers the risk where its weight is above 0, and raises it where it is below', () => {
  const range = fc.double({ min: -3, max: 4, noNaN: true })
  const factors = fc.array(range, { minLength: FACTORS.length, maxLength: FACTORS.length })
  fc.assert(
    fc.property(factors, fc.double({ min: 0, max: 3, noNaN: true }), fc.nat(FACTORS.length - 1), (x, age, n) => {
      const { base, weights } = contributions(x, age)
      const weight = weights[n] ?? 0
      const logOdds = (values: readonly number[]): number => {
        const p = combine(values, age)
        return Math.log(p / (1 - p))
      }
      const without = x.with(n, usualFactors(age)[n] ?? 0)
      expect(logOdds(x) - logOdds(without)).toBeCloseTo(weight, 6)
      expect(logOdds(usualFactors(age))).toBeCloseTo(base, 6)
    }),
  )
})

test('twice the plan over, or more risk told earlier in the silence, is a reason of its own that completes the sum', () => {
  fc.assert(
    fc.property(standing, factorEvidence, more, share, (at, e, m, by) => {
      const before = riskOf(at, e)
      const held = before + by * (1 - before)
      fc.pre(held < 1 && Math.log(held / (1 - held)) - Math.log(before / (1 - before)) > 0.1)
      const { usualLogOdds, because } = reasonsByPlan(
        { risk: held, factors: factorsOf(at, e), standing: at, evidence: e },
        m,
      )
      expect(because.map(({ factor }) => factor)).toContain('held')
      expect(logistic(usualLogOdds + sumOf(because))).toBeCloseTo(held, 9)
    }),
  )
  const play = new Play()
  play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 1e8, plannedMs: 3_000 })
  play.run(6_010, {})
  expect(play.model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes: 1e8 }).because[0]).toMatchObject({
    factor: 'over',
    text: 'twice its plan is over',
  })
})

/** Six megabytes at 600 kB/s take 10 s: planned to take so long. */
function planned(plannedMs: number): Play {
  const play = three()
  play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'completed' })
  play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 6e6, plannedMs })
  return play
}
const ofRest = (play: Play, remainingBytes: number): Reason[] => {
  const { because } = play.model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes })
  return [...because]
}

test('what is too slow for its plan is told by what it needs and what it has', () => {
  const [first] = ofRest(planned(3_500).run(3_000, ALL), 4.2e6)
  expect(first?.factor).toBe('behind')
  expect(first?.weight).toBeGreaterThan(0.5)
  expect(first?.text).toMatch(/^needs 1\.\d+ MB\/s for the rest, has (6\d\d|600) kB\/s$/)
})

test('what fell silent is told by how long, and how many of its usual gaps that is', () => {
  const play = planned(10_000).run(3_000, ALL)
  const silent = ofRest(play.run(2_000, { b: ALL.b, c: ALL.c }), 4.2e6).find(({ factor }) => factor === 'silence')
  expect(silent?.weight).toBeGreaterThan(1)
  expect(silent?.text).toMatch(/^silent 2\.0 s, 1\d times its usual gap$/)
})

test('a store that failed a moment ago is told by when', () => {
  const play = three()
  play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure: 'serverError' })
  play.run(3_000, { b: ALL.b, c: ALL.c })
  play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 3e6, plannedMs: 5_000 })
  const [first] = ofRest(play, 3e6)
  expect(first?.factor).toBe('storeDown')
  expect(first?.text).toMatch(/^its store failed 3\.0 s ago: down with \d\d %$/)
})

test('without a plan the parts share what is beyond 1 in 1,000 by what each adds', () => {
  const play = new Play().start('a', 'b')
  const { risk, usualLogOdds, because } = play.run(3_000, { b: STEADY }).of('a')
  expect(usualLogOdds).toBeCloseTo(Math.log(0.001 / 0.999), 9)
  expect(because[0]?.factor).toBe('stopped')
  expect(logistic(usualLogOdds + sumOf(because))).toBeCloseTo(risk, 9)
})

test('reasons are made when they are asked for, of what was known at the time', () => {
  const play = planned(10_000).run(2_000, ALL)
  const ask = () => play.model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes: 4.8e6, isGlance: true })
  const [early, late] = [ask(), ask()]
  const told = JSON.stringify(early)
  play.run(3_000, { b: ALL.b })
  expect(JSON.stringify(late)).toBe(told)
  expect(late.because).toBe(late.because)
})
