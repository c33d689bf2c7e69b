import { expect, test } from 'vitest'
import { CompletionSurvival } from './completion-survival.js'
import { SessionCourse } from './session-course.js'
import { ALL, three } from './testing/play.js'

/** A course of ten seconds for a megabyte that started at 0, at a store whose sessions took these ratios. */
function course(ratios: number[]): SessionCourse {
  const history = new CompletionSurvival()
  for (const ratio of ratios) history.completed(ratio)
  const planned = new SessionCourse({ nowMs: 0, history })
  planned.planned({ bytesPerSecond: 100_000, startMs: 0 })
  return planned
}
const at = { nowMs: 0, ackedBytes: 0, lastProgressMs: 0, remainingBytes: 1e6, remainingAtProgressMs: 10_000, trust: 0 }

test('at its start, what its store’s sessions took says how likely it is late', () => {
  const start = { ...at, remainingMs: 10_000 }
  const late = (ratios: number[]): number => course(ratios).late(start) ?? Number.NaN
  const slow = new Array<number>(30).fill(2.5)
  const even = new Array<number>(30).fill(1)
  expect(late([])).toBeGreaterThan(0.05)
  expect(late([])).toBeLessThan(0.12)
  expect(late(slow)).toBeGreaterThan(0.4)
  expect(late(even)).toBeLessThan(0.02)
  expect(course(slow).expectedRemainingMs(start)).toBeGreaterThan(15_000)
  expect(course([]).expectedRemainingMs(start)).toBe(10_000)
})

test('once its own rate is known, that says it and not the store’s past', () => {
  const half = { ...at, nowMs: 5_000, lastProgressMs: 5_000, ackedBytes: 5e5, remainingBytes: 5e5, trust: 1 }
  const past = new Array<number>(30).fill(2.5)
  const remaining = (remainingMs: number) => ({ ...half, remainingMs, remainingAtProgressMs: remainingMs })
  expect(course(past).late(remaining(5_000))).toBeLessThan(0.05)
  expect(course([]).late(remaining(40_000))).toBeGreaterThan(0.95)
  expect(course(past).expectedRemainingMs(remaining(5_000))).toBe(5_000)
})

test('what has taken twice its plan is late for certain, and a local pause is no part of it', () => {
  const now = { ...at, nowMs: 20_001, lastProgressMs: 20_001, ackedBytes: 9e5, remainingBytes: 1e5, remainingMs: 1_000 }
  expect(course([]).late(now)).toBe(1)
  const paused = course([])
  paused.paused(12_000, 13_000)
  expect(paused.late({ ...now, trust: 1 })).toBeLessThan(0.1)
  expect(paused.ratio(20_000, 1e6)).toBeCloseTo(0.8)
})

test('without a forecast there is no plan, and nothing is late', () => {
  const cold = new SessionCourse({ nowMs: 0, history: new CompletionSurvival() })
  expect(cold.late({ ...at, remainingMs: 5_000 })).toBeUndefined()
  expect(cold.ratio(10_000, 1e6)).toBeUndefined()
  expect(cold.expectedRemainingMs({ ...at, remainingMs: 5_000 })).toBe(5_000)
})

test('the source’s pace, or our own pause, teaches no ratio', () => {
  const limited = course([])
  limited.limitedByUs()
  expect(limited.ratio(40_000, 1e6)).toBeUndefined()
})

test('a late session raises the risk whoever is to blame, and does not straggle while it moves as its peers do', () => {
  const play = three()
  for (const session of ['a', 'b', 'c']) play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'completed' })
  play.start('a', 'b', 'c').run(6_000, ALL)
  const early = play.model.assess({ nowMs: play.nowMs, session: 'b', remainingBytes: 5e6 })
  expect(early.late).toBeLessThan(0.1)
  play.run(2_000, {}).run(1_500, ALL)
  const late = play.model.assess({ nowMs: play.nowMs, session: 'b', remainingBytes: 1e5 })
  expect(late.risk).toBeGreaterThanOrEqual(late.late)
  expect(late.straggle).toBeLessThan(0.2)
})
