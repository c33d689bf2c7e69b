import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type LinkObservation, LinkState } from './link-state.js'

function after(...observations: LinkObservation[]): LinkState {
  const link = new LinkState()
  for (const observation of observations) link.step(observation)
  return link
}
const many = (observation: LinkObservation, times: number): LinkObservation[] => new Array(times).fill(observation)

test('without observations it follows the powers of its transition matrix', () => {
  const link = after(...many({ kind: 'nothing' }, 40))
  const tick = (p: number): number => 1 - (1 - p) ** 0.25
  let [g, b, o] = [0.91, 0.07, 0.02]
  for (let n = 0; n < 40; n++) {
    const good = g * (1 - tick(1 / 50) - tick(1 / 500)) + b * tick(1 / 4) + o * tick(1 / 40)
    const outage = g * tick(1 / 500) + b * tick(1 / 20) + o * (1 - tick(1 / 40) - tick(1 / 20))
    ;[g, b, o] = [good, 1 - good - outage, outage]
  }
  expect(link.belief.pGood).toBeCloseTo(g, 6)
  expect(link.belief.pBad).toBeCloseTo(b, 6)
  expect(link.belief.pOutage).toBeCloseTo(o, 6)
})

test('one step is Bayes rule on the predicted state', () => {
  const tick = (p: number): number => 1 - (1 - p) ** 0.25
  const good = 0.91 * (1 - tick(1 / 50) - tick(1 / 500)) + 0.07 * tick(1 / 4) + 0.02 * tick(1 / 40)
  const outage = 0.91 * tick(1 / 500) + 0.07 * tick(1 / 20) + 0.02 * (1 - tick(1 / 40) - tick(1 / 20))
  const weights = [good * 0.05, (1 - good - outage) * 0.8, outage * 0.98]
  const sum = weights.reduce((a, b) => a + b, 0)
  expect(after({ kind: 'silent', chanceWhenGood: 0.05 }).belief.pGood).toBeCloseTo((weights[0] ?? 0) / sum, 9)
})

test('unlikely silence turns the belief to bad and then to outage, and life turns it back within a second', () => {
  const link = after(...many({ kind: 'alive', rateRatio: 1 }, 20))
  expect(link.pNotGood).toBeLessThan(0.01)
  for (const observation of many({ kind: 'silent', chanceWhenGood: 0.05 }, 4)) link.step(observation)
  expect(link.pNotGood).toBeGreaterThan(0.9)
  for (const observation of many({ kind: 'silent', chanceWhenGood: 0.05 }, 60)) link.step(observation)
  expect(link.belief.pOutage).toBeGreaterThan(0.7)
  for (const observation of many({ kind: 'alive', rateRatio: 1 }, 4)) link.step(observation)
  expect(link.belief.pGood).toBeGreaterThan(0.9)
})

test('a link that moves at a tenth of its forecast is bad', () => {
  expect(after(...many({ kind: 'alive', rateRatio: 0.1 }, 12)).belief.pBad).toBeGreaterThan(0.8)
  expect(after(...many({ kind: 'alive', rateRatio: 0.7 }, 12)).pNotGood).toBeLessThan(0.05)
})

test('the belief is always a distribution, and silence never argues for a good link', () => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true })
  const observation: fc.Arbitrary<LinkObservation> = fc.oneof(
    fc.constant<LinkObservation>({ kind: 'nothing' }),
    fc.record({ kind: fc.constant<'alive'>('alive'), rateRatio: fc.double({ min: 0, max: 1e12, noNaN: true }) }),
    fc.record({ kind: fc.constant<'silent'>('silent'), chanceWhenGood: chance }),
  )
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 100 }), chance, (observations, chanceWhenGood) => {
      const link = after(...observations)
      const { pGood, pBad, pOutage } = link.belief
      expect(pGood + pBad + pOutage).toBeCloseTo(1, 9)
      expect(Math.min(pGood, pBad, pOutage)).toBeGreaterThan(0)
      link.step({ kind: 'silent', chanceWhenGood })
      expect(link.belief.pGood).toBeLessThanOrEqual(pGood)
    }),
  )
})

/** Which states a link has, and how likely what was seen is in each: from the constants of METHODS and of the header. */
type Triple = [number, number, number]

function chances(observation: LinkObservation): Triple {
  if (observation.kind === 'nothing') return [1, 1, 1]
  if (observation.kind === 'silent') return [Math.max(0.01, observation.chanceWhenGood), 0.8, 0.98]
  const log = Math.min(0, Math.log(observation.rateRatio ?? 1))
  const density = (mean: number, sigma: number): number => Math.exp(-0.5 * ((log - mean) / sigma) ** 2) / sigma
  const slow = density(Math.log(0.25), 1) / density(0, 0.5)
  return [0.99, 0.2 * (observation.rateRatio === undefined ? 1 : Math.min(20, Math.max(0.25, slow))), 0.02]
}

/** P(path, what was seen), summed over all paths through the states by the last two of each. */
function overPaths(observations: readonly LinkObservation[]): number[][] {
  const tick = (perSecond: number): number => 1 - (1 - perSecond) ** 0.25
  const leaving = [
    [0, tick(1 / 50), tick(1 / 500)],
    [tick(1 / 4), 0, tick(1 / 20)],
    [tick(1 / 40), tick(1 / 20), 0],
  ]
  const step = (i: number, j: number): number =>
    i === j ? 1 - (leaving[i] ?? []).reduce((a, b) => a + b, 0) : (leaving[i]?.[j] ?? 0)
  const joint = [0, 1, 2].map(() => [0, 0, 0])
  const walk = (path: readonly number[], p: number): void => {
    const [before = 0, now = 0] = [path.at(-2), path.at(-1)]
    const observation = observations[path.length - 1]
    const row = joint[before] ?? []
    if (observation === undefined) row[now] = (row[now] ?? 0) + p
    else for (const next of [0, 1, 2]) walk([...path, next], p * step(now, next) * (chances(observation)[next] ?? 0))
  }
  for (const start of [0, 1, 2]) walk([start], [0.91, 0.07, 0.02][start] ?? 0)
  const sum = joint.flat().reduce((a, b) => a + b, 0)
  return joint.map((row) => row.map((p) => p / sum))
}

test('belief and expected changes are those of the sum over all paths through the states', () => {
  const seen: fc.Arbitrary<LinkObservation> = fc.oneof(
    fc.constant<LinkObservation>({ kind: 'alive' }),
    fc.record({ kind: fc.constant<'alive'>('alive'), rateRatio: fc.double({ min: 0.05, max: 2, noNaN: true }) }),
    fc.record({
      kind: fc.constant<'silent'>('silent'),
      chanceWhenGood: fc.double({ min: 0, max: 0.3, noNaN: true }),
    }),
  )
  fc.assert(
    fc.property(fc.array(seen, { minLength: 1, maxLength: 4 }), (observations) => {
      // the learned rates count from the fourth step on, so these four take the prior's
      const link = new LinkState()
      const changes = [0, 1, 2].map(() => [0, 0, 0])
      const kept = 0.995 ** 0.25
      for (const [at, observation] of observations.entries()) {
        const before = link.belief.pGood
        link.step(observation)
        const joint = overPaths(observations.slice(0, at + 1))
        const good = joint.reduce((sum, row) => sum + (row[0] ?? 0), 0)
        // silence never argues for a good link: there the filter stays where it was
        if (observation.kind === 'silent' && good > before) return
        expect(link.belief.pGood).toBeCloseTo(good, 4)
        expect(link.belief.pBad).toBeCloseTo(
          joint.reduce((sum, row) => sum + (row[1] ?? 0), 0),
          4,
        )
        for (const i of [0, 1, 2]) {
          for (const j of [0, 1, 2]) {
            const row = changes[i] ?? []
            row[j] = kept * (row[j] ?? 0) + (joint[i]?.[j] ?? 0)
            if (i !== j) expect(link.transitions.known[i]?.[j] ?? Number.NaN).toBeCloseTo(row[j] ?? 0, 4)
          }
        }
      }
    }),
  )
})
