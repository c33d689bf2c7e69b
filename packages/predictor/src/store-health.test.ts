import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type HealthSign, StoreHealth } from './store-health.js'

const SIGNS = fc.constantFrom<HealthSign>('failed', 'late', 'completed')
const RATIOS: { readonly [sign in HealthSign]: number } = { failed: 50, late: 0.7, completed: 0.3 }

test('it is the forward filter of a chain that goes down once in ten minutes and comes up after 12 s', () => {
  const outcomes = fc.array(fc.record({ sign: SIGNS, afterMs: fc.integer({ min: 0, max: 30_000 }) }), { maxLength: 8 })
  fc.assert(
    fc.property(outcomes, (list) => {
      const health = new StoreHealth(0)
      let nowMs = 0
      // Reference: the same chain in steps of a millisecond, Bayes' rule at each sign.
      let p = 12 / 612
      for (const { sign, afterMs } of list) {
        for (let ms = 0; ms < afterMs; ms++) p += ((1 - p) / 600 - p / 12) / 1_000
        const [down, up] = [p * RATIOS[sign], 1 - p]
        p = Math.min(0.98, Math.max(0.005, down / (down + up)))
        nowMs += afterMs
        health.saw({ nowMs, sign })
        expect(health.pDown(nowMs)).toBeCloseTo(p, 3)
      }
    }),
    { numRuns: 30 },
  )
})

test('a store that failed seconds ago is probably down, twice more surely so, and in a minute it is as any other', () => {
  const health = new StoreHealth(0)
  const usual = health.pDown(0)
  health.saw({ nowMs: 0, sign: 'failed' })
  expect(health.pDown(2_000)).toBeGreaterThan(0.4)
  health.saw({ nowMs: 2_000, sign: 'failed' })
  expect(health.pDown(4_000)).toBeGreaterThan(0.8)
  expect(health.pDown(64_000)).toBeLessThan(2 * usual)
})

test('a failure that was the link’s says nothing, and half a failure less than a whole one', () => {
  const after = (weight: number): number => {
    const health = new StoreHealth(0)
    health.saw({ nowMs: 0, sign: 'failed', weight })
    return health.pDown(0)
  }
  expect(after(0)).toBeCloseTo(new StoreHealth(0).pDown(0), 9)
  expect(after(0.5)).toBeLessThan(after(1))
  expect(() => after(Number.NaN)).toThrow('NaN')
})
