import { afterEach, expect, test, vi } from 'vitest'
import { breathe } from './breathe.js'

afterEach(() => {
  vi.unstubAllGlobals()
})

test.each([
  ['as in Node', () => {}],
  ['as in a page', () => vi.stubGlobal('setImmediate', undefined)],
])('whatever waits for the thread has its turn first, %s', async (_where, prepare) => {
  prepare()
  const order: string[] = []
  const other = new Promise<void>((resolve) => {
    setTimeout(() => {
      order.push('timer')
      resolve()
    })
  })
  for (let turns = 0; !order.includes('timer') && turns < 100_000; turns++) await breathe()
  await other
  // work that breathes lets timers in; that which only awaits does not
  expect(order).toEqual(['timer'])
  await Promise.all([breathe().then(() => order.push('a')), breathe().then(() => order.push('b'))])
  expect(order).toEqual(['timer', 'a', 'b'])
})
