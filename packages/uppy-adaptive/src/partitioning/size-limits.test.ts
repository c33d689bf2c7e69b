import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { clampSize, DEFAULT_LIMITS } from './size-limits.js'

const blocks = (max: number) => fc.integer({ min: 1, max }).map((count) => count * BLOCK_SIZE)

test('a size is a whole number of blocks, within limits that are', () => {
  const size = fc.double({ min: 0, max: 1e12, noNaN: true })
  fc.assert(
    fc.property(size, blocks(100), blocks(100), (sizeBytes, min, more) => {
      const limits = { minSizeBytes: min, maxSizeBytes: min + more }
      const clamped = clampSize(sizeBytes, limits)
      expect(clamped % BLOCK_SIZE).toBe(0)
      expect(clamped >= limits.minSizeBytes && clamped <= limits.maxSizeBytes).toBe(true)
      if (sizeBytes >= limits.minSizeBytes && sizeBytes <= limits.maxSizeBytes)
        expect(Math.abs(clamped - sizeBytes)).toBeLessThanOrEqual(BLOCK_SIZE / 2)
    }),
  )
})

test('by default a partition has a block at least and 64 MiB at most', () => {
  expect(clampSize(0, DEFAULT_LIMITS)).toBe(262_144)
  expect(clampSize(Number.POSITIVE_INFINITY, DEFAULT_LIMITS)).toBe(67_108_864)
})

test('limits under a block still leave one block', () => {
  expect(clampSize(5, { minSizeBytes: 1, maxSizeBytes: 10 })).toBe(BLOCK_SIZE)
})

test('a smallest size between two boundaries is not undercut', () => {
  expect(clampSize(0, { minSizeBytes: 300_000, maxSizeBytes: 10_000_000 })).toBeGreaterThanOrEqual(300_000)
})

test('a largest size between two boundaries is not exceeded', () => {
  expect(clampSize(1e9, { minSizeBytes: 1, maxSizeBytes: 400_000 })).toBeLessThanOrEqual(400_000)
})
