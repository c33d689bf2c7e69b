import { expect, test } from 'vitest'
import { RiskModel } from './risk.js'
import { combine } from './risk-combination.js'
import { ALL, Play, three } from './testing/play.js'

const planned = (play: Play, plannedMs = 10_000): Play => {
  const { nowMs, model } = play
  model.sessionStarted({ nowMs, session: 'a', store: 'a', rangeBytes: 6e6, plannedMs })
  return play
}
const ask = ({ nowMs }: Play, remainingBytes = 4.8e6) => ({ nowMs, session: 'a', remainingBytes, isGlance: true })

test('by plan the risk is the combination of the factors that it tells', () => {
  const play = planned(three()).run(2_000, ALL)
  const factors = play.model.factors(ask(play)) ?? []
  const { risk, plannedMs } = play.model.assess(ask(play))
  expect(plannedMs).toBe(10_000)
  expect(risk).toBeCloseTo(combine(factors, 2_000 / 10_000), 9)
})

test('without a plan it is the noisy or of what is wrong now, and late is 0', () => {
  const play = new Play().start('a', 'b').run(2_500, { b: ALL.b })
  const { risk, late, link, server, connection, straggle, plannedMs } = play.of('a')
  expect([plannedMs, late]).toEqual([undefined, 0])
  expect(risk).toBeCloseTo(1 - (1 - link) * (1 - server) * (1 - connection) * (1 - straggle), 6)
})

test('the horizon is twice what the rest should take, at least 1 s and at most 10 s', () => {
  const play = three()
  const horizonMs = (remainingBytes: number): number => play.model.assess(ask(play, remainingBytes)).horizonMs
  expect(horizonMs(1)).toBe(1_000)
  expect(horizonMs(1e9)).toBe(10_000)
  expect(Math.abs(horizonMs(1.2e6) - 4_000)).toBeLessThan(200)
})

test('a glance has the same answer as an assessment, and its JSON has the reasons', () => {
  const [one, other] = [planned(three()), planned(three())].map((play) => play.run(1_500, { b: ALL.b, c: ALL.c }))
  if (one === undefined || other === undefined) throw new Error('no play')
  const glance = JSON.parse(JSON.stringify(one.model.assess(ask(one))))
  const { nowMs } = other
  expect(glance).toEqual(JSON.parse(JSON.stringify(other.model.assess({ nowMs, session: 'a', remainingBytes: 4.8e6 }))))
  expect(glance.because.length).toBeGreaterThan(0)
  expect(glance.blame.length).toBeGreaterThan(0)
  expect(typeof glance.usualLogOdds).toBe('number')
})

test('who is not in flight cannot be assessed', () => {
  const o = { nowMs: 0, session: 'a', remainingBytes: 1 }
  expect(() => new RiskModel().assess(o)).toThrow(expect.objectContaining({ code: 'unknownSession' }))
})
