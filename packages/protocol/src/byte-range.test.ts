import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ByteRange, RangeSet } from './byte-range.js'
import {
  addRanges,
  coversRange,
  intersectRanges,
  missingRanges,
  rangeLength,
  subtractRanges,
  toRangeSet,
  totalBytes,
} from './byte-range.js'

const SIZE = 48
const range = fc.record({ start: fc.nat({ max: SIZE }), end: fc.nat({ max: SIZE }) })
const ranges = fc.array(range, { maxLength: 12 })

/** The naive model: one flag a byte. */
function bitmap(list: readonly ByteRange[]): boolean[] {
  return Array.from({ length: SIZE }, (_, byte) => list.some(({ start, end }) => start <= byte && byte < end))
}

function expectSet(set: RangeSet, wanted: boolean[]): void {
  expect(bitmap(set)).toEqual(wanted)
  for (const [i, { start, end }] of set.entries()) {
    expect(end).toBeGreaterThan(start)
    // ascending, and with a gap before it: touching ranges are one range
    expect(start).toBeGreaterThan(set[i - 1]?.end ?? -1)
  }
}

test('a set holds every byte of the ranges it was made of, ascending, and no range touches another', () => {
  fc.assert(fc.property(ranges, (list) => expectSet(toRangeSet(list), bitmap(list))))
})

test('adding is the union', () => {
  fc.assert(fc.property(ranges, ranges, (a, b) => expectSet(addRanges(toRangeSet(a), ...b), bitmap([...a, ...b]))))
})

test('subtracting leaves what only the first set has', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const removed = bitmap(b)
      expectSet(
        subtractRanges(toRangeSet(a), toRangeSet(b)),
        bitmap(a).map((held, byte) => held && !removed[byte]),
      )
    }),
  )
})

test('intersecting leaves what both sets have, whichever comes first', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const other = bitmap(b)
      const both = bitmap(a).map((held, byte) => held && other[byte] === true)
      expectSet(intersectRanges(toRangeSet(a), toRangeSet(b)), both)
      expectSet(intersectRanges(toRangeSet(b), toRangeSet(a)), both)
    }),
  )
})

test('what is missing and what is held make the whole file, and share no byte', () => {
  fc.assert(
    fc.property(ranges, fc.nat({ max: SIZE }), (list, size) => {
      const held = bitmap(list)
      const missing = missingRanges(toRangeSet(list), size)
      expectSet(
        missing,
        held.map((isHeld, byte) => !isHeld && byte < size),
      )
    }),
  )
})

test('a set covers a range when it has each of its bytes', () => {
  fc.assert(
    fc.property(ranges, range, (list, asked) => {
      const held = bitmap(list)
      const bytes = Array.from({ length: rangeLength(asked) }, (_, i) => held[asked.start + i])
      expect(coversRange(toRangeSet(list), asked)).toBe(bytes.every((isHeld) => isHeld === true))
    }),
  )
})

test('the total counts each byte of a set once', () => {
  fc.assert(
    fc.property(ranges, (list) => {
      expect(totalBytes(toRangeSet(list))).toBe(bitmap(list).filter(Boolean).length)
    }),
  )
})

test('an operation changes neither of the sets it is given', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const left = toRangeSet(a)
      const right = toRangeSet(b)
      const before = structuredClone([left, right])
      addRanges(left, ...right)
      subtractRanges(left, right)
      intersectRanges(left, right)
      missingRanges(left, SIZE)
      expect([left, right]).toEqual(before)
    }),
  )
})

test('an inverted or empty range has no bytes', () => {
  expect(rangeLength({ start: 9, end: 4 })).toBe(0)
  expect(
    toRangeSet([
      { start: 9, end: 4 },
      { start: 3, end: 3 },
    ]),
  ).toEqual([])
  expect(missingRanges([], 0)).toEqual([])
})
