import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { BlockTable, STORE } from './block-table.js'
import { GroupBudgets } from './budgets.js'

const leaf = (letter: string): string => letter.repeat(43)
const SIZE = 10 * BLOCK_SIZE
const newTable = () => new BlockTable(new GroupBudgets().claims)

/** All that a table was ever told, as a record has it. */
function recordOf(table: BlockTable): Parameters<BlockTable['restore']>[0] {
  const { blocks, claims, reports, elsewhere } = table.takeChanges()
  return {
    blocks: blocks.flatMap(([index, block]) => (block ? [[index, block] as const] : [])),
    claims: claims.flatMap(([index, leaves]) => (leaves ? [[index, leaves] as const] : [])),
    bad: [],
    reports: reports.flatMap(([store, index, leaf]) => (leaf ? [[store, index, leaf] as const] : [])),
    elsewhere: elsewhere ?? [],
  }
}

test('the first at a block owns it, and nobody joins in the middle', () => {
  const table = newTable()
  expect(table.acquire(0, 'a', true)).toBe(true)
  expect(table.acquire(0, 'b', true)).toBe(false)
  expect(table.acquire(0, 'a', false)).toBe(true)
  expect(table.acquire(1, 'b', false)).toBe(false)
  table.release('a')
  expect(table.acquire(0, 'b', true)).toBe(true)
})

test('a block is verified by the same leaf, whichever comes first', () => {
  const table = newTable()
  table.acquire(0, 'a', true)
  expect(table.complete(0, leaf('A'))).toBe('held')
  expect(table.claim(0, leaf('A'))).toBe('verified')
  expect(table.claim(1, leaf('B'))).toBe('waiting')
  table.acquire(1, 'a', true)
  expect(table.complete(1, leaf('B'))).toBe('verified')
  expect(table.verifiedHere(SIZE)).toEqual([{ start: 0, end: 2 * BLOCK_SIZE }])
})

test('another leaf frees a block that is not verified, and conflicts with one that is', () => {
  const table = newTable()
  table.acquire(0, 'a', true)
  table.complete(0, leaf('A'))
  expect(table.claim(0, leaf('B'))).toBe('bad')
  expect(table.bad(SIZE)).toEqual([{ start: 0, end: BLOCK_SIZE }])
  expect(table.acquire(0, 'b', true)).toBe(true)
  expect(table.complete(0, leaf('B'))).toBe('verified')
  expect(table.bad(SIZE)).toEqual([])
  expect(table.claim(0, leaf('A'))).toBe('conflict')
  expect(table.claim(0, leaf('B'))).toBe('already')
})

test("a corrupt copy's claim does not push out the right one", () => {
  const table = newTable()
  table.claim(0, leaf('B'))
  table.claim(0, leaf('A'))
  table.acquire(0, 'a', true)
  expect(table.complete(0, leaf('A'))).toBe('verified')
})

test('a restored table is the same, without what the store itself had begun', () => {
  const table = newTable()
  table.acquire(0, 'a', true)
  table.acquire(1, STORE, true)
  table.acquire(2, 'a', true)
  table.complete(2, leaf('C'))
  table.claim(3, leaf('D'))
  table.reports.add('store', 4, leaf('E'))
  const again = newTable()
  again.restore(recordOf(table))
  expect(again.get(0)).toEqual({ kind: 'partial', owner: 'a' })
  expect(again.get(1)).toBeUndefined()
  expect(again.wholeBlocks()).toEqual([2])
  expect(again.verifiedAnywhere(SIZE)).toEqual([{ start: 4 * BLOCK_SIZE, end: 5 * BLOCK_SIZE }])
  again.acquire(3, 'b', true)
  expect(again.complete(3, leaf('D'))).toBe('verified')
})
