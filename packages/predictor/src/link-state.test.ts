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
