import fc from 'fast-check'
import type { ByteRange } from 'tus-reconcile-protocol'
import { toRangeSet } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { SplitTails } from './split-tails.js'

const TAIL = { start: 400, end: 1_000 }

function tails(): SplitTails {
  const split = new SplitTails()
  split.add(TAIL, { victim: 'slow', nowMs: 5_000, expectedMs: 3_000 })
  return split
}

test('a tail is its victim’s alone to leave', () => {
  expect(tails().of('slow')).toEqual([TAIL])
  expect(tails().of('other')).toEqual([])
})

test('a tail that waited for as long as its victim would have needed is anybody’s', () => {
  const split = tails()
  split.prune(() => true, 7_999)
  expect(split.of('slow')).toEqual([TAIL])
  split.prune(() => true, 8_000)
  expect(split.of('slow')).toEqual([])
})

test('a tail that somebody has taken is forgotten: what comes back of it was another’s', () => {
  const split = tails()
  split.prune(({ start, end }) => start !== TAIL.start || end !== TAIL.end, 5_100)
  expect(split.of('slow')).toEqual([])
})

test('a store leaves all of its own tails and none of another’s', () => {
  const range = fc
    .tuple(fc.nat({ max: 100 }), fc.integer({ min: 1, max: 20 }))
    .map(([start, length]): ByteRange => ({ start, end: start + length }))
  const tail = fc.record({ range, victim: fc.constantFrom('a', 'b') })
  fc.assert(
    fc.property(fc.array(tail, { maxLength: 8 }), (split) => {
      const all = new SplitTails()
      for (const { range: of, victim } of split) all.add(of, { victim, nowMs: 0, expectedMs: 1_000 })
      const own = split.filter(({ victim }) => victim === 'a').map(({ range: of }) => of)
      expect(all.of('a')).toEqual(toRangeSet(own))
    }),
  )
})
