import fc from 'fast-check'
import { expect, test } from 'vitest'
import { strictLog } from '../testing/strict-log.js'
import { Progress } from './progress.js'

function reported(totalBytes: number, reports: number[]): number[] {
  const { log, events } = strictLog()
  const progress = new Progress(log, totalBytes)
  for (const ackedBytes of reports) progress.report(ackedBytes)
  return events.flatMap((event) => {
    if (event.type !== 'progress') return []
    expect(event.totalBytes).toBe(totalBytes)
    return [event.ackedBytes]
  })
}

test('progress rises with every report and never exceeds the file', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat()), (totalBytes, reports) => {
      const said = reported(totalBytes, reports)
      for (const [i, bytes] of said.entries()) {
        expect(bytes).toBeGreaterThan(said[i - 1] ?? 0)
        expect(bytes).toBeLessThanOrEqual(totalBytes)
      }
      expect(said.at(-1) ?? 0).toBe(Math.min(totalBytes, Math.max(0, ...reports)))
    }),
  )
})

test('what a store lost is not taken back, and what it has again is not said twice', () => {
  expect(reported(100, [10, 60, 30, 60, 61, 61])).toEqual([10, 60, 61])
})

test('nothing is said of nothing', () => {
  expect(reported(100, [0, -5])).toEqual([])
})
