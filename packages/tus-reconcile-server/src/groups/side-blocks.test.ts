import { expect, test } from 'vitest'
import { MemoryBackend } from '../testing/memory-backend.js'
import { Budget, GroupBudgets } from './budgets.js'
import { SideBlocks } from './side-blocks.js'

const backend = new MemoryBackend()
const sidesOf = (budget: Budget, name = 'a'): SideBlocks => new SideBlocks(backend.openSide(name), budget)

test('a copy is kept from its first byte on or not at all', () => {
  const sides = sidesOf(new GroupBudgets().sides)
  expect(sides.acquire(0, 'a', false)).toBeUndefined()
  const copy = sides.acquire(0, 'a', true)
  expect(sides.acquire(0, 'a', false)).toBe(copy)
  expect(sides.whole(0)).toEqual([])
  if (copy) copy.leaf = 'leaf'
  expect(sides.whole(0)).toEqual([copy])
  expect(sides.acquire(0, 'a', true)).toBeUndefined()
})

test('a group and all groups keep no more than their limits, and what is dropped makes room', () => {
  const budget = new Budget(2, 3)
  const [one, two] = [sidesOf(budget), sidesOf(budget, 'b')]
  expect([one.acquire(0, 'a', true)?.slot, one.acquire(0, 'b', true)?.slot]).toEqual([0, 1])
  expect(one.acquire(1, 'a', true)).toBeUndefined()
  expect(two.acquire(0, 'a', true)?.slot).toBe(0)
  expect(two.acquire(1, 'a', true)).toBeUndefined()
  one.drop(0, 'a')
  expect(two.acquire(1, 'a', true)?.slot).toBe(1)
  two.release('a')
  expect(one.acquire(5, 'c', true)?.slot).toBe(0)
  expect(budget.used).toBe(2)
})

test('what keeps nothing leaves no bytes when it is idle', async () => {
  const sides = sidesOf(new GroupBudgets().sides, 'idle')
  sides.acquire(0, 'a', true)
  await sides.file.write(0, Buffer.from('bytes'))
  await sides.idle()
  expect((await sides.file.read(0, 5)).length).toBe(5)
  sides.release('a')
  await sides.idle()
  expect((await sides.file.read(0, 5)).length).toBe(0)
})
