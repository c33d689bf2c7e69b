import { expect, test } from 'vitest'
import { isOutrun, type LastPiece } from './last-pieces.js'

const MB = 1_000_000
/** A second at a tenth of the other's rate, while the other has 2 s to go. */
const SLOW: LastPiece = {
  bytes: 0.2 * MB,
  rateBytesPerSecond: 0.2 * MB,
  setupMs: 100,
  restBytes: 4 * MB,
  otherRates: [2 * MB],
}

test('a slow store is left idle once faster ones end all that is left before its piece', () => {
  expect(isOutrun(SLOW)).toBe(false)
  expect(isOutrun({ ...SLOW, restBytes: 2 * MB })).toBe(true)
  expect(isOutrun({ ...SLOW, restBytes: 2.25 * MB })).toBe(false)
  expect(isOutrun({ ...SLOW, restBytes: 2.25 * MB, setupMs: 200 })).toBe(true)
})

test('several faster ones end sooner together', () => {
  expect(isOutrun({ ...SLOW, otherRates: [2 * MB, 2 * MB] })).toBe(true)
})

test('among equals nobody is left idle, nor the fastest of all, nor one alone', () => {
  const last = { ...SLOW, restBytes: SLOW.bytes }
  expect(isOutrun({ ...last, otherRates: [0.39 * MB, 0.39 * MB] })).toBe(false)
  expect(isOutrun({ ...last, otherRates: [0.1 * MB] })).toBe(false)
  expect(isOutrun({ ...last, otherRates: [] })).toBe(false)
  expect(isOutrun({ ...last, rateBytesPerSecond: 0, otherRates: [0] })).toBe(false)
})

test('one that moves nothing is left idle beside one that moves', () => {
  expect(isOutrun({ ...SLOW, rateBytesPerSecond: 0 })).toBe(true)
})
