import fc from 'fast-check'
import type { ByteRange } from 'tus-reconcile-protocol'
import { coversRange, intersectRanges, toRangeSet } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { SplitTails } from './split-tails.js'

const TAIL = { start: 400, end: 1_000 }
const ALL = [{ start: 0, end: 2_000 }]

function tails(): SplitTails {
  const split = new SplitTails()
  split.add(TAIL, { victim: 'slow', nowMs: 5_000, expectedMs: 3_000 })
  return split
}

test('the victim gets everything but its own tail; the others get that too', () => {
  expect(tails().without(ALL, 'slow')).toEqual([
    { start: 0, end: 400 },
    { start: 1_000, end: 2_000 },
  ])
  expect(tails().without(ALL, 'other')).toEqual(ALL)
})

test('a tail that waited for as long as its victim would have needed is anybody’s', () => {
  const split = tails()
  split.prune(ALL, 7_999)
  expect(split.without([TAIL], 'slow')).toEqual([])
  split.prune(ALL, 8_000)
  expect(split.without([TAIL], 'slow')).toEqual([TAIL])
})

test('a tail that somebody has taken is forgotten: what comes back of it was another’s', () => {
  const split = tails()
  split.prune([{ start: 0, end: 400 }], 5_100)
  expect(split.without([TAIL], 'slow')).toEqual([TAIL])
})

test('no store is ever given a byte of its own tail, and none loses another', () => {
  const range = fc
    .tuple(fc.nat({ max: 100 }), fc.integer({ min: 1, max: 20 }))
    .map(([start, length]): ByteRange => ({ start, end: start + length }))
  const tail = fc.record({ range, victim: fc.constantFrom('a', 'b') })
  fc.assert(
    fc.property(fc.array(tail, { maxLength: 8 }), fc.array(range, { maxLength: 8 }), (split, given) => {
      const all = new SplitTails()
      for (const { range: of, victim } of split) all.add(of, { victim, nowMs: 0, expectedMs: 1_000 })
      const ranges = toRangeSet(given)
      const may = all.without(ranges, 'a')
      for (const { range: of, victim } of split) if (victim === 'a') expect(intersectRanges(may, [of])).toEqual([])
      const own = split.filter(({ victim }) => victim === 'a').map(({ range: of }) => of)
      for (const one of ranges) expect(coversRange(toRangeSet([...may, ...own]), one)).toBe(true)
    }),
  )
})
