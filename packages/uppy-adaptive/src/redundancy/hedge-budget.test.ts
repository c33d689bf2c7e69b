import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HedgeBudget } from './hedge-budget.js'

const MIB = 1024 * 1024
const create = () => new HedgeBudget({ share: 0.05, allowanceBytes: 2 * MIB })

test('before anything is acknowledged, copies may send the allowance', () => {
  expect(create().availableBytes).toBe(2 * MIB)
})

test('the budget grows by the share of what is acknowledged, and by what is spent it shrinks', () => {
  const budget = create()
  budget.acknowledged(100 * MIB)
  expect(budget.availableBytes).toBe(7 * MIB)
  budget.spend(3 * MIB)
  expect(budget.availableBytes).toBe(4 * MIB)
})

test('acknowledged bytes never go back', () => {
  const budget = create()
  budget.acknowledged(100 * MIB)
  budget.acknowledged(20 * MIB)
  expect(budget.availableBytes).toBe(7 * MIB)
})

test('a budget that is overdrawn is empty, not negative', () => {
  const budget = create()
  budget.spend(50 * MIB)
  expect(budget.availableBytes).toBe(0)
})

test('bytes that a copy was given and never sent come back', () => {
  const budget = create()
  budget.spend(2 * MIB)
  budget.settle({ won: true, unsentBytes: 1.5 * MIB })
  expect(budget.availableBytes).toBe(1.5 * MIB)
})

test('copies that keep losing are stopped with the sixth, and won ones bring them back', () => {
  const budget = create()
  const lose = () => budget.settle({ won: false, unsentBytes: 0 })
  for (let i = 0; i < 5; i++) lose()
  expect(budget.availableBytes).toBe(2 * MIB)
  lose()
  expect(budget.availableBytes).toBe(0)
  for (let i = 0; i < 11; i++) budget.settle({ won: true, unsentBytes: 0 })
  expect(budget.availableBytes).toBeGreaterThan(0)
})

test('ever so many lost copies are made good by fifty won ones', () => {
  const budget = create()
  for (let i = 0; i < 100; i++) budget.settle({ won: false, unsentBytes: 0 })
  for (let i = 0; i < 51; i++) budget.settle({ won: true, unsentBytes: 0 })
  expect(budget.availableBytes).toBe(2 * MIB)
})

test('copies that only start within the budget never exceed the share and one allowance', () => {
  const step = fc.record({ acked: fc.nat({ max: 10 * MIB }), copy: fc.nat({ max: 4 * MIB }), won: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const budget = create()
      let acked = 0
      let sent = 0
      for (const { acked: more, copy, won } of steps) {
        acked += more
        budget.acknowledged(acked)
        if (copy > budget.availableBytes) continue
        budget.spend(copy)
        sent += copy
        budget.settle({ won, unsentBytes: 0 })
        expect(sent).toBeLessThanOrEqual(acked * 0.05 + 2 * MIB + 1e-6)
      }
    }),
  )
})
