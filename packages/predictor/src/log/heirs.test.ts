import fc from 'fast-check'
import { expect, test } from 'vitest'
import { upload } from '../testing/written-run.js'
import { Heirs } from './heirs.js'
import type { SessionRun } from './upload-run.js'

const range = fc.record({ start: fc.nat(50), length: fc.nat(9), startedMs: fc.nat(100) })

test('the heir of bytes is the first session that began on any of them from then on', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 300 }), range, fc.nat(299), (ranges, wanted, at) => {
      const [template] = upload({ ackedAtMs: [] }).sessions.values()
      const sessions = ranges.map(
        ({ start, length, startedMs }): SessionRun => ({
          ...(template as SessionRun),
          ...{ start, plannedEnd: start + length, startedMs },
        }),
      )
      const victim = sessions[at]
      const [from, to, sinceMs] = [wanted.start, wanted.start + wanted.length, wanted.startedMs]
      const inTime = sessions.toSorted((a, b) => a.startedMs - b.startedMs)
      const expected = inTime.find(
        (each) => each !== victim && each.startedMs >= sinceMs && each.start < to && each.plannedEnd > from,
      )
      expect(new Heirs(sessions).heirOf(victim, { from, to, sinceMs })).toBe(expected)
    }),
  )
})

test('of ten thousand sessions along a file, the next of some bytes is found by a look at few', () => {
  const [template] = upload({ ackedAtMs: [] }).sessions.values()
  let looks = 0
  const sessions = Array.from({ length: 10_000 }, (_, at) => {
    const session = { ...(template as SessionRun), plannedEnd: at * 10 + 10, startedMs: at }
    return Object.defineProperty(session, 'start', { get: () => ++looks && at * 10 })
  })
  const heirs = new Heirs(sessions)
  looks = 0
  expect(heirs.heirOf(sessions[0], { from: 99_000, to: 99_010, sinceMs: 1 })).toBe(sessions[9_900])
  expect(heirs.heirOf(sessions[0], { from: 0, to: 10, sinceMs: 1 })).toBe(undefined)
  expect(looks).toBeLessThan(200)
})
