import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadOf, smoothLoad } from './load-formula.js'

const idle = { loop: 0, pendingBytes: 0, writeMs: 0 }

test('the scarcest thing decides: loop, bytes that wait, or the disk', () => {
  expect(loadOf(idle)).toBe(0)
  expect(loadOf({ ...idle, loop: 1 })).toBe(0.8)
  expect(loadOf({ ...idle, loop: 1, pendingBytes: 67_108_864 })).toBe(1)
  expect(loadOf({ ...idle, loop: 0.1, writeMs: 500 })).toBe(0.5)
})

test('load is 0 to 1 and rises with each of its parts', () => {
  const part = fc.double({ min: 0, max: 1e12, noNaN: true })
  fc.assert(
    fc.property(part, part, part, (loop, pendingBytes, writeMs) => {
      const load = loadOf({ loop, pendingBytes, writeMs })
      expect(load).toBeGreaterThanOrEqual(0)
      expect(load).toBeLessThanOrEqual(1)
      expect(loadOf({ loop, pendingBytes: pendingBytes * 2, writeMs: writeMs * 2 })).toBeGreaterThanOrEqual(load)
    }),
  )
})

test('smoothing goes to what is, never beyond it, and not by itself', () => {
  expect(smoothLoad(0, 1, 0)).toBe(0)
  expect(smoothLoad(0, 1, 2000)).toBeCloseTo(0.632, 3)
  expect(smoothLoad(1, 0, 60_000)).toBeCloseTo(0, 9)
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(100_000), (now, elapsedMs) => {
      const load = smoothLoad(0.5, now, elapsedMs)
      expect(load).toBeGreaterThanOrEqual(Math.min(0.5, now) - 1e-9)
      expect(load).toBeLessThanOrEqual(Math.max(0.5, now) + 1e-9)
    }),
  )
})
