import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fleet } from './fleet.js'
import { LinkState } from './link-state.js'
import { LinkWatch } from './link-watch.js'
import { startingPoint } from './priors.js'

const TICK_MS = 250
const fleetOf = (): Fleet => new Fleet(startingPoint(undefined).stores)
const watch = (fleet: Fleet): LinkWatch => new LinkWatch({ fleet, tickMs: TICK_MS, known: undefined })

test('it steps once for each tick that has passed, and not between', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2_000 }), { maxLength: 40 }), (gaps) => {
      const link = watch(fleetOf())
      link.tick(0)
      let [nowMs, stepped] = [0, 0]
      for (const gapMs of gaps) {
        nowMs += gapMs
        const due = Math.floor(nowMs / TICK_MS) - stepped
        expect(link.tick(nowMs)).toBe(due > 0)
        stepped += due
      }
    }),
  )
})

test('with nothing in flight it is the filter that sees nothing, late ticks or not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 39 }), (steps) => {
      const [late, alone] = [watch(fleetOf()), new LinkState(TICK_MS, undefined)]
      late.tick(0)
      late.tick(steps * TICK_MS)
      for (let step = 0; step < steps; step++) alone.step({ kind: 'nothing' })
      expect(late.state.belief.pGood).toBeCloseTo(alone.belief.pGood, 9)
    }),
  )
})

test('the longer all are silent the worse the link looks, a lost question adds to it, and a sign of life clears it', () => {
  const fleet = fleetOf()
  const link = watch(fleet)
  for (const session of ['a', 'b']) fleet.begin({ nowMs: 0, session, store: session, rangeBytes: 1e6 })
  fleet.signOfLife(100, 'a', fleet.sessions.get('a'))
  let last = 0
  for (let nowMs = 250; nowMs <= 6_000; nowMs += TICK_MS) {
    link.tick(nowMs)
    expect(link.state.pNotGood).toBeGreaterThanOrEqual(last - 1e-9)
    last = link.state.pNotGood
  }
  expect(last).toBeGreaterThan(0.9)
  const before = link.state.pNotGood
  link.probeLost()
  expect(link.state.pNotGood).toBeGreaterThanOrEqual(before)
  for (let nowMs = 6_250; nowMs <= 9_000; nowMs += TICK_MS) {
    fleet.signOfLife(nowMs - 1, 'a')
    link.tick(nowMs)
  }
  expect(link.state.pNotGood).toBeLessThan(0.2)
})

test('a local pause is no silence: nothing is learned from it', () => {
  const fleet = fleetOf()
  const link = watch(fleet)
  fleet.begin({ nowMs: 0, session: 'a', store: 'a', rangeBytes: 1e6 })
  link.tick(0)
  const before = link.state.pNotGood
  fleet.restartClocks(60_000, 60_000)
  link.restart(60_000)
  expect(link.tick(60_100)).toBe(false)
  expect(link.state.pNotGood).toBe(before)
})
