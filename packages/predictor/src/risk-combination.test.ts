import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RiskModel } from './risk.js'
import { combine } from './risk-combination.js'
import { FACTORS } from './risk-factors.js'
import { AGES, WEIGHTS } from './risk-weights.js'
import { ALL, Play, three } from './testing/play.js'

const factor = fc.double({ min: -10, max: 20, noNaN: true })
const factors = fc.array(factor, { minLength: FACTORS.length, maxLength: FACTORS.length })
const age = fc.double({ min: 0, max: 1e6, noNaN: true })

test('at the ages of its weights it is logistic regression, and between two its log-odds are between theirs', () => {
  const logit = (p: number): number => Math.log(p / (1 - p))
  const small = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
    minLength: FACTORS.length,
    maxLength: FACTORS.length,
  })
  fc.assert(
    fc.property(small, fc.integer({ min: 0, max: AGES.length - 2 }), (x, at) => {
      const [from = 0, to = 0] = AGES.slice(at, at + 2)
      const [a, b] = [at, at + 1].map((row) => {
        const [constant = 0, ...weights] = WEIGHTS[row] ?? []
        return weights.reduce((sum, weight, n) => sum + weight * (x[n] ?? 0), constant)
      }) as [number, number]
      expect(logit(combine(x, from))).toBeCloseTo(a, 6)
      expect(logit(combine(x, (from + to) / 2))).toBeCloseTo((a + b) / 2, 6)
    }),
  )
})

test('it is a probability, and no factor that rises lowers it', () => {
  fc.assert(
    fc.property(
      factors,
      age,
      fc.nat(FACTORS.length - 1),
      fc.double({ min: 0, max: 10, noNaN: true }),
      (x, at, n, by) => {
        const p = combine(x, at)
        expect(p).toBeGreaterThanOrEqual(0)
        expect(p).toBeLessThanOrEqual(1)
        expect(combine(x.with(n, (x[n] ?? 0) + by), at)).toBeGreaterThanOrEqual(p)
      },
    ),
  )
  for (const [, ...weights] of WEIGHTS) expect(Math.min(...weights)).toBeGreaterThanOrEqual(0)
})

test('a plan that is told counts instead of the forecast: what is to be done sooner is at more risk', () => {
  const riskOf = (plannedMs: number): number => {
    const play = three()
    const { nowMs, model } = play
    model.sessionEnded({ nowMs, session: 'a', outcome: 'completed' })
    model.sessionStarted({ nowMs, session: 'a', store: 'a', rangeBytes: 6e6, plannedMs })
    play.run(2_000, ALL)
    return model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes: 4.8e6 }).risk
  }
  // six megabytes at 600 kB/s take 10 s
  expect(riskOf(10_000)).toBeLessThan(0.1)
  expect(riskOf(3_500)).toBeGreaterThan(4 * riskOf(10_000))
  expect(() => riskOf(0)).toThrow(expect.objectContaining({ code: 'invalidQuantity' }))
})

test('twice the plan is trouble for certain', () => {
  const play = new Play()
  play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 1e8, plannedMs: 3_000 })
  const risk = (): number => play.model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes: 1e8 }).risk
  expect(risk()).toBeLessThan(1)
  play.run(6_010, {})
  expect(risk()).toBe(1)
})

test('a store that failed a moment ago is a risk to begin with, one that failed a minute ago is not', () => {
  const riskAfter = (waitMs: number, failures: number): number => {
    const play = three()
    for (let n = 0; n < failures; n++) {
      play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure: 'serverError' })
      play.start('a')
    }
    play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'cancelled' })
    play.run(waitMs, { b: ALL.b, c: ALL.c })
    play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 3e6, plannedMs: 5_000 })
    return play.model.assess({ nowMs: play.nowMs, session: 'a', remainingBytes: 3e6 }).risk
  }
  expect(riskAfter(1_000, 2)).toBeGreaterThan(4 * riskAfter(1_000, 0))
  expect(riskAfter(60_000, 2)).toBeLessThan(1.5 * riskAfter(60_000, 0))
})

test('what it is combined from is told by name, and asking changes nothing', () => {
  const play = three()
  play.model.sessionStarted({ nowMs: play.nowMs, session: 'a', store: 'a', rangeBytes: 5e6 })
  const ask = { nowMs: play.nowMs, session: 'a', remainingBytes: 5e6 }
  const before = play.of('a')
  expect(play.model.factors(ask)).toHaveLength(FACTORS.length)
  expect(play.of('a')).toEqual(before)
  const cold = new RiskModel()
  cold.sessionStarted({ nowMs: 0, session: 'a', store: 'a', rangeBytes: 1e6 })
  expect(cold.factors({ nowMs: 0, session: 'a', remainingBytes: 1e6 })).toBeUndefined()
})
