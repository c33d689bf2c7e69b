import fc from 'fast-check'
import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { addRanges, coversRange, intersectRanges, subtractRanges, totalBytes } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { RangeIndex } from './range-index.js'

interface Step {
  readonly act: 'add' | 'remove'
  readonly range: ByteRange
}

/** Empty ones too, and such as reach over all the others. */
const ranges = (span: number, longest: number): fc.Arbitrary<ByteRange> =>
  fc
    .tuple(fc.nat({ max: span }), fc.nat({ max: longest }))
    .map(([start, length]) => ({ start, end: Math.min(start + length, span) }))
    .filter(({ start, end }) => end >= start)

function run(index: RangeIndex, steps: readonly Step[]): RangeSet {
  let model: RangeSet = []
  for (const { act, range } of steps) {
    index[act](range)
    if (act === 'add') model = addRanges(model, range)
    else if (range.end > range.start) model = subtractRanges(model, [range])
  }
  return model
}

function compare(index: RangeIndex, model: RangeSet, asked: ByteRange): void {
  expect(index.toSet()).toEqual(model)
  expect(index.totalBytes).toBe(totalBytes(model))
  const isEmpty = asked.end <= asked.start
  const within = isEmpty ? [] : intersectRanges(model, [asked])
  expect([...index.within(asked)]).toEqual(within)
  expect(index.bytesWithin(asked)).toBe(totalBytes(within))
  expect([...index.gaps(asked)]).toEqual(isEmpty ? [] : subtractRanges([asked], model))
  expect(index.covers(asked)).toBe(coversRange(model, asked))
}

const step = (range: fc.Arbitrary<ByteRange>): fc.Arbitrary<Step> =>
  fc.record({ act: fc.constantFrom<Step['act']>('add', 'add', 'remove'), range })

test('after any additions and removals it holds what plain sets hold', () => {
  fc.assert(
    fc.property(fc.array(step(ranges(60, 12)), { maxLength: 40 }), ranges(70, 70), (steps, asked) => {
      const index = new RangeIndex()
      compare(index, run(index, steps), asked)
    }),
    { numRuns: 500 },
  )
})

test('so it is when its ranges are more than one array takes, and one step takes many of them', () => {
  const MANY = 1_500
  const scattered = fc.shuffledSubarray(
    Array.from({ length: MANY }, (_, i): Step => ({ act: 'add', range: { start: 3 * i, end: 3 * i + 2 } })),
    { minLength: MANY / 2 },
  )
  const wide = fc.array(step(ranges(3 * MANY, 2 * MANY)), { maxLength: 4 })
  const asked = ranges(3 * MANY, 3 * MANY)
  fc.assert(
    fc.property(
      scattered,
      wide,
      fc.array(step(ranges(3 * MANY, 5)), { maxLength: 50 }),
      asked,
      (first, between, last, o) => {
        const index = new RangeIndex()
        compare(index, run(index, [...first, ...between, ...last]), o)
      },
    ),
    { numRuns: 20 },
  )
})
