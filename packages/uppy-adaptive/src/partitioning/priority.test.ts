import fc from 'fast-check'
import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, coversRange, toRangeSet, totalBytes } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import type { Priority, PriorityRange } from './priority.js'
import { orderOfFile, priorityOfType, rankRanges, windowFactor } from './priority.js'

const SIZE = 20 * BLOCK_SIZE + 7
const blocks = (first: number, last: number): ByteRange => ({
  start: first * BLOCK_SIZE,
  end: Math.min(last * BLOCK_SIZE, SIZE),
})

test.each([
  ['image/jpeg', 'high'],
  ['image/svg+xml', 'high'],
  ['text/plain', 'high'],
  ['text/csv;charset=utf-8', 'high'],
  ['video/mp4', 'bulk'],
  ['application/zip', 'bulk'],
  ['application/gzip', 'bulk'],
  ['application/x-tar', 'bulk'],
  ['application/x-7z-compressed', 'bulk'],
  ['application/x-iso9660-image', 'bulk'],
  ['application/pdf', 'normal'],
  ['application/zipper', 'normal'],
  ['application/x-image/png', 'normal'],
  ['audio/mpeg', 'normal'],
  ['', 'normal'],
  [undefined, 'normal'],
])('a file of type %s has priority %s', (type, priority) => {
  expect(priorityOfType(type)).toBe(priority)
})

test('what somebody waits for gets shorter partitions than usual, what is stored gets longer ones', () => {
  expect(windowFactor('high')).toBeLessThan(windowFactor('normal'))
  expect(windowFactor('bulk')).toBeGreaterThan(windowFactor('normal'))
  expect(windowFactor('normal')).toBe(1)
})

test('of a video the head goes first, then the rest as what is stored', () => {
  const film = { sizeBytes: SIZE, contentType: 'video/mp4' }
  expect(orderOfFile(film, undefined)).toEqual([
    { ...blocks(0, 8), priority: 'high' },
    { ...blocks(8, 21), priority: 'bulk' },
  ])
  expect(orderOfFile({ ...film, sizeBytes: 1_000 }, undefined)).toEqual([{ start: 0, end: 1_000, priority: 'high' }])
  expect(orderOfFile(film, 'normal')).toEqual([{ ...blocks(0, 21), priority: 'normal' }])
  expect(orderOfFile({ ...film, contentType: 'audio/ogg' }, undefined)).toEqual([
    { ...blocks(0, 21), priority: 'normal' },
  ])
})

test('what the application names goes in its order, in whole blocks, and what it does not name as its type says', () => {
  const ranges: PriorityRange[] = [
    { start: 3 * BLOCK_SIZE + 1, end: 4 * BLOCK_SIZE + 1, priority: 'bulk' },
    { start: -8, priority: 'high' },
    { start: 0, end: 1, priority: 'high' },
  ]
  expect(orderOfFile({ sizeBytes: SIZE, contentType: 'video/mp4' }, ranges)).toEqual([
    { ...blocks(0, 1), priority: 'high' },
    { ...blocks(19, 21), priority: 'high' },
    { ...blocks(1, 19), priority: 'bulk' },
  ])
  expect(orderOfFile({ sizeBytes: SIZE, contentType: undefined }, ranges).at(-1)).toEqual({
    ...blocks(3, 5),
    priority: 'bulk',
  })
})

test('ranges beyond the file or without bytes name nothing', () => {
  const nothing: PriorityRange[] = [
    { start: SIZE, priority: 'high' },
    { start: 9, end: -SIZE, priority: 'high' },
    { start: 2 * SIZE, end: 3 * SIZE, priority: 'high' },
  ]
  expect(rankRanges(SIZE, 'normal', nothing)).toEqual([{ ...blocks(0, 21), priority: 'normal' }])
  expect(rankRanges(0, 'normal', nothing)).toEqual([])
})

test('whatever is named, every byte is in the order once, in whole blocks, and none goes before one of a higher priority', () => {
  const PRIORITIES: readonly Priority[] = ['high', 'normal', 'bulk']
  const priority = fc.constantFrom(...PRIORITIES)
  const offset = fc.integer({ min: -SIZE - 9, max: SIZE + 9 })
  const named = fc.record({ start: offset, end: offset, priority })
  fc.assert(
    fc.property(fc.array(named, { maxLength: 6 }), priority, fc.nat({ max: SIZE - 1 }), (ranges, otherwise, at) => {
      const order = rankRanges(SIZE, otherwise, ranges)
      expect(toRangeSet(order)).toEqual([{ start: 0, end: SIZE }])
      expect(totalBytes(order)).toBe(SIZE)
      const ranks = order.map((range) => PRIORITIES.indexOf(range.priority))
      expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
      for (const { start, end } of order)
        expect([start % BLOCK_SIZE, end === SIZE ? 0 : end % BLOCK_SIZE]).toEqual([0, 0])
      // a byte has at least the highest priority that names it
      const inFile = (o: number) => (o < 0 ? SIZE + o : o)
      const naming = ranges.filter(({ start, end }) => inFile(start) <= at && at < inFile(end))
      const found = order.find((range) => coversRange([range], { start: at, end: at + 1 }))
      const highest = Math.min(...naming.map((range) => PRIORITIES.indexOf(range.priority)), 2)
      if (naming.length > 0) expect(PRIORITIES.indexOf(found?.priority ?? 'bulk')).toBeLessThanOrEqual(highest)
    }),
  )
})
