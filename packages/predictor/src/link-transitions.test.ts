import { mean } from 'simple-statistics'
import { expect, test } from 'vitest'
import { type LinkObservation, LinkState } from './link-state.js'
import { LinkTransitions } from './link-transitions.js'

/** Numbers in (0, 1) that are the same at every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

interface Tick {
  isGood: boolean
  observation: LinkObservation
}

/** A Gilbert-Elliott link in ticks of 250 ms: silent in 1 % of good and 80 % of bad ticks, slow where it is bad and alive. */
function simulated(o: { seed: number; ticks: number; goodBad: number; badGood: number }): Tick[] {
  const random = seeded(o.seed)
  const perTick = (perSecond: number): number => 1 - (1 - perSecond) ** 0.25
  let isGood = true
  return Array.from({ length: o.ticks }, () => {
    if (random() < perTick(isGood ? o.goodBad : o.badGood)) isGood = !isGood
    const isSilent = random() < (isGood ? 0.01 : 0.8)
    const observation: LinkObservation = isSilent
      ? { kind: 'silent', chanceWhenGood: 0.01 }
      : { kind: 'alive', rateRatio: isGood ? 1 : 0.25 }
    return { isGood, observation }
  })
}

/** Mean of -ln P(the state that the link is in at the next tick), before that tick is seen. */
function surprise(link: LinkState, ticks: readonly Tick[]): number {
  return mean(
    ticks.map(({ isGood, observation }) => {
      const { transitions, belief } = link
      const toGood =
        belief.pGood * transitions.perTick(0, 0) +
        belief.pBad * transitions.perTick(1, 0) +
        belief.pOutage * transitions.perTick(2, 0)
      link.step(observation)
      return -Math.log(isGood ? toGood : 1 - toGood)
    }),
  )
}

const LINKS = {
  'a 5G link in a street': { goodBad: 0.03, badGood: 0.06 },
  'an LTE link on a drive': { goodBad: 0.1, badGood: 0.45 },
  'fixed broadband': { goodBad: 0.003, badGood: 0.25 },
}

for (const [name, rates] of Object.entries(LINKS)) {
  test(`the learned rates come to those of ${name}, and foresee it better than fixed ones`, () => {
    const learned: { leaves: number; returns: number }[] = []
    const gains: number[] = []
    for (let seed = 1; seed <= 12; seed++) {
      const ticks = simulated({ seed: 977 * seed, ticks: 8_000, ...rates })
      const link = new LinkState()
      for (const { observation } of ticks.slice(0, 4_000)) link.step(observation)
      const { transitions } = link
      learned.push({
        leaves: transitions.perSecond(0, 1) + transitions.perSecond(0, 2),
        returns: transitions.perSecond(1, 0),
      })
      const later = ticks.slice(4_000)
      gains.push(surprise(frozen(), later) - surprise(link, later))
    }
    const leaves = mean(learned.map((one) => one.leaves))
    expect(Math.abs(Math.log(leaves / rates.goodBad))).toBeLessThan(Math.abs(Math.log(0.022 / rates.goodBad)) + 0.2)
    expect(mean(gains)).toBeGreaterThan(0)
  })
}

/** A link that never learns: its counts stay at none. */
function frozen(): LinkState {
  const link = new LinkState()
  link.transitions.learn = () => {}
  return link
}

test('a link of which nothing is seen keeps its rates, and no rate leaves its bounds', () => {
  const link = new LinkState()
  const before = link.transitions.perSecond(0, 1)
  for (let n = 0; n < 10_000; n++) link.step({ kind: 'nothing' })
  expect(link.transitions.perSecond(0, 1)).toBe(before)
  for (let n = 0; n < 20_000; n++) link.step({ kind: 'alive', rateRatio: 1 })
  expect(link.transitions.perSecond(0, 1)).toBeGreaterThanOrEqual(before / 10)
  for (let n = 0; n < 20_000; n++)
    link.step({ kind: n % 2 === 0 ? 'alive' : 'silent', chanceWhenGood: 0, rateRatio: 1 })
  for (const from of [0, 1, 2]) {
    const row = [0, 1, 2].map((to) => link.transitions.perTick(from, to))
    expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
    for (const p of row) expect(p >= 0 && p <= 1).toBe(true)
  }
})

test.each([0, Number.MIN_VALUE, 1_001, Number.NaN])('a tick of %d ms is refused', (tickMs) => {
  expect(() => new LinkTransitions(tickMs)).toThrow(`from 1 to 1000, got ${tickMs}`)
})

test('at the longest tick and the highest rates, every chance is one', () => {
  const wild = new LinkTransitions(1_000, [
    [0, 1e3, 1e3],
    [1e3, 0, 1e3],
    [1e3, 1e3, 0],
  ])
  for (let from = 0; from < 3; from++)
    for (let to = 0; to < 3; to++) expect(wild.perTick(from, to)).toBeGreaterThanOrEqual(0)
})
