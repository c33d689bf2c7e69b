import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PartitionHistory } from './partition-history.js'

test('until something broke all is taken to be lost, and until something was done plans are believed', () => {
  const { lostShare, stretch } = new PartitionHistory()
  expect([lostShare, stretch]).toEqual([1, 1])
})

test('the share that is lost follows what broken partitions lost', () => {
  const history = new PartitionHistory()
  history.broken({ tookMs: 10_000, lostMs: 1_000 })
  expect(history.lostShare).toBeCloseTo(0.73)
  for (let i = 0; i < 20; i++) history.broken({ tookMs: 10_000, lostMs: 1_000 })
  expect(history.lostShare).toBeCloseTo(0.1, 2)
  history.broken({ tookMs: 10_000, lostMs: 10_000 })
  expect(history.lostShare).toBeGreaterThan(0.3)
})

test('partitions that take longer than planned stretch, one that takes as much less undoes it', () => {
  const history = new PartitionHistory()
  for (let i = 0; i < 20; i++) history.completed({ tookMs: 2_000, plannedMs: 1_000 })
  expect(history.stretch).toBeCloseTo(2, 2)
  for (let i = 0; i < 20; i++) history.completed({ tookMs: 1_000, plannedMs: 1_000 })
  expect(history.stretch).toBeCloseTo(1, 2)
})

test('whatever it is told, both stay figures that a size can be made of', () => {
  const any = fc.double({ min: 0, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(fc.array(fc.tuple(any, any), { maxLength: 20 }), (told) => {
      const history = new PartitionHistory()
      for (const [a, b] of told) {
        history.completed({ tookMs: a, plannedMs: b })
        history.broken({ tookMs: a, lostMs: b })
      }
      expect(history.lostShare >= 0 && history.lostShare <= 1).toBe(true)
      expect(history.stretch >= 0.25 - 1e-9 && history.stretch <= 4 + 1e-9).toBe(true)
    }),
  )
})
