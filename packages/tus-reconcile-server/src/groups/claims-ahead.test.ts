import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlockTable } from './block-table.js'
import { ClientBudget } from './budgets.js'
import { ClaimsAhead } from './claims-ahead.js'

const OWNERS = ['me', 'me', 'you', undefined]
const MOST = { group: 3, client: 4, all: 6 }

const step = fc.record({
  table: fc.nat(OWNERS.length - 1),
  index: fc.nat(4),
  leaf: fc.constantFrom('A', 'B', 'C', 'D', 'E'),
  do: fc.constantFrom('claim', 'claim', 'claim', 'report', 'complete', 'pulled', 'lose', 'clear', 'name'),
})

test('tables of one budget count what they keep, and no claim of a client goes beyond its part of it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new ClientBudget(MOST.group, MOST.client, MOST.all)
      const tables = OWNERS.map((owner) => {
        const blocks = new BlockTable(budget)
        if (owner) blocks.claims.belongTo(owner)
        return { owner, blocks }
      })
      const sizeOf = (owner?: string) =>
        tables.reduce((sum, each) => sum + (owner && each.owner !== owner ? 0 : each.blocks.claims.size), 0)
      for (const { table, index, leaf, do: what } of steps) {
        const target = tables[table]
        if (!target) continue
        const { blocks } = target
        const before = blocks.claims.size
        if (what === 'claim') {
          blocks.claim(index, leaf)
          if (blocks.claims.size > before) {
            expect(blocks.claims.size).toBeLessThanOrEqual(MOST.group)
            expect(budget.used).toBeLessThanOrEqual(MOST.all)
            if (target.owner) expect(budget.usedBy(target.owner)).toBeLessThanOrEqual(MOST.client)
          }
        } else if (what === 'report') blocks.claim(index, leaf, true)
        else if (what === 'complete' && blocks.acquire(index, 's', true)) blocks.complete(index, leaf)
        else if (what === 'pulled' && !blocks.isVerified(index)) blocks.replaced(index, leaf, 'peer')
        else if (what === 'lose') blocks.lose([index])
        else if (what === 'clear') blocks.clear()
        else if (what === 'name') {
          blocks.claims.belongTo('you')
          target.owner ??= 'you'
        }
        expect([budget.used, budget.usedBy('me'), budget.usedBy('you')]).toEqual([
          sizeOf(),
          sizeOf('me'),
          sizeOf('you'),
        ])
      }
    }),
  )
})

test('of one block the last four digests are kept, and a fifth needs no room', () => {
  const budget = new ClientBudget(4, 4, 4)
  const claims = new ClaimsAhead(budget)
  for (const leaf of ['A', 'B', 'C', 'D']) claims.add(0, leaf)
  expect([claims.hasRoom(0, 'E'), claims.hasRoom(0, 'A'), claims.hasRoom(1, 'E')]).toEqual([true, true, false])
  claims.add(0, 'E')
  expect([claims.get(0), claims.size, budget.used]).toEqual([['B', 'C', 'D', 'E'], 4, 4])
})

test('without room what is stored is compared all the same, and nothing else changes', () => {
  const blocks = new BlockTable(new ClientBudget(0, 0, 0))
  for (const index of [0, 1]) {
    blocks.acquire(index, 's', true)
    expect(blocks.complete(index, 'A')).toBe('held')
  }
  expect([blocks.claim(0, 'A'), blocks.claim(1, 'B'), blocks.claim(2, 'A')]).toEqual(['verified', 'no-room', 'no-room'])
  expect([blocks.get(1), blocks.claims.size]).toEqual([{ kind: 'held', leaf: 'A' }, 0])
})
