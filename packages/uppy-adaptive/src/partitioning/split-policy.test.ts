import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { decideSlowSplit, decideSteal } from './split-policy.js'

const sizes = fc.integer({ min: 1, max: 2_000 * BLOCK_SIZE })
const rate = fc.oneof(fc.constant(0), fc.double({ min: 1, max: 1e9, noNaN: true }))
/** A session of a file: its end on a block boundary or the file's end, its offset anywhere before. */
const situation = fc
  .record({ sizeBytes: sizes, end: fc.double({ min: 0, max: 1, noNaN: true }), acked: fc.nat(), rate })
  .map((given) => {
    const end = Math.min(given.sizeBytes, Math.ceil((given.end * given.sizeBytes) / BLOCK_SIZE) * BLOCK_SIZE)
    const victim = { end, acked: given.acked % (end + 1), rateBytesPerSecond: given.rate }
    return { victim, sizeBytes: given.sizeBytes }
  })
const thief = fc.record({ rateBytesPerSecond: rate, setupMs: fc.double({ min: 0, max: 10_000, noNaN: true }) })

test('a new end lies beyond what is acknowledged and before the old one, on a block boundary', () => {
  fc.assert(
    fc.property(situation, thief, fc.nat({ max: 60_000 }), ({ victim, sizeBytes }, other, windowMs) => {
      for (const end of [decideSlowSplit(victim, windowMs, sizeBytes), decideSteal(victim, other, sizeBytes)]) {
        if (end === undefined) continue
        expect(end).toBeGreaterThan(victim.acked)
        expect(end).toBeLessThan(victim.end)
        expect(end % BLOCK_SIZE).toBe(0)
      }
    }),
  )
})

test('a slow session keeps what it can send in the window, rounded up to a block', () => {
  const victim = { acked: 0, end: 100 * BLOCK_SIZE, rateBytesPerSecond: 2.5 * BLOCK_SIZE }
  expect(decideSlowSplit(victim, 2_000, 200 * BLOCK_SIZE)).toBe(5 * BLOCK_SIZE)
  expect(decideSlowSplit({ ...victim, rateBytesPerSecond: 2.6 * BLOCK_SIZE }, 2_000, 200 * BLOCK_SIZE)).toBe(
    6 * BLOCK_SIZE,
  )
})

test('a session that moves nothing at all still keeps the block it is in', () => {
  const victim = { acked: 3.5 * BLOCK_SIZE, end: 10 * BLOCK_SIZE, rateBytesPerSecond: 0 }
  expect(decideSlowSplit(victim, 1_500, 10 * BLOCK_SIZE)).toBe(4 * BLOCK_SIZE)
  expect(decideSlowSplit({ ...victim, acked: 3 * BLOCK_SIZE }, 1_500, 10 * BLOCK_SIZE)).toBe(4 * BLOCK_SIZE)
})

test('a session that finishes within the window is left alone', () => {
  const victim = { acked: 0, end: 4 * BLOCK_SIZE, rateBytesPerSecond: 4 * BLOCK_SIZE }
  expect(decideSlowSplit(victim, 1_000, 10 * BLOCK_SIZE)).toBeUndefined()
})

test('an idle thief takes the tail with which both finish together, to the block', () => {
  fc.assert(
    fc.property(situation, thief, ({ victim, sizeBytes }, other) => {
      const end = decideSteal(victim, other, sizeBytes)
      if (end === undefined) return
      const victimSeconds = (end - victim.acked) / victim.rateBytesPerSecond
      const thiefSeconds = other.setupMs / 1000 + (victim.end - end) / other.rateBytesPerSecond
      // the boundary is rounded towards the thief's favour by less than a block
      const blockSeconds = BLOCK_SIZE / victim.rateBytesPerSecond + BLOCK_SIZE / other.rateBytesPerSecond
      if (victim.rateBytesPerSecond === 0) return
      expect(victimSeconds - thiefSeconds).toBeGreaterThanOrEqual(-1e-6 * victimSeconds)
      expect(victimSeconds - thiefSeconds).toBeLessThanOrEqual(blockSeconds * (1 + 1e-6))
    }),
  )
})

test('between equals without set-up the rest is halved', () => {
  const victim = { acked: 2 * BLOCK_SIZE, end: 22 * BLOCK_SIZE, rateBytesPerSecond: 1e6 }
  expect(decideSteal(victim, { rateBytesPerSecond: 1e6, setupMs: 0 }, 22 * BLOCK_SIZE)).toBe(12 * BLOCK_SIZE)
})

test('a faster thief takes more, and a dearer set-up leaves it less', () => {
  const victim = { acked: 0, end: 100 * BLOCK_SIZE, rateBytesPerSecond: 1e6 }
  const endFor = (rateBytesPerSecond: number, setupMs: number) =>
    decideSteal(victim, { rateBytesPerSecond, setupMs }, 100 * BLOCK_SIZE) ?? Number.NaN
  expect(endFor(4e6, 100)).toBeLessThan(endFor(1e6, 100))
  expect(endFor(1e6, 3_000)).toBeGreaterThan(endFor(1e6, 100))
})

test('nothing is stolen where the tail is not worth a request', () => {
  const victim = { acked: 0, end: 100 * BLOCK_SIZE, rateBytesPerSecond: 1e6 }
  const steal = (changed: object, other: object) =>
    decideSteal({ ...victim, ...changed }, { rateBytesPerSecond: 1e6, setupMs: 100, ...other }, 100 * BLOCK_SIZE)
  expect(steal({ acked: 99 * BLOCK_SIZE }, {})).toBeUndefined()
  expect(steal({}, { setupMs: 60_000 })).toBeUndefined()
  expect(steal({}, { rateBytesPerSecond: 0 })).toBeUndefined()
  expect(steal({ rateBytesPerSecond: 0 }, { rateBytesPerSecond: 0, setupMs: 0 })).toBeUndefined()
  expect(steal({ acked: 100 * BLOCK_SIZE }, {})).toBeUndefined()
})

test('a slow session is not split for less than a block', () => {
  const victim = { acked: 0, end: BLOCK_SIZE + 1, rateBytesPerSecond: 1 }
  expect(decideSlowSplit(victim, 1_000, BLOCK_SIZE + 1)).toBeUndefined()
})

test('no tail under a block is stolen', () => {
  const end = 10 * BLOCK_SIZE + 1
  const victim = { acked: 8 * BLOCK_SIZE + 1, end, rateBytesPerSecond: 1e6 }
  const at = decideSteal(victim, { rateBytesPerSecond: 1e6, setupMs: 0 }, end)
  expect(end - (at ?? 0)).toBeGreaterThanOrEqual(BLOCK_SIZE)
})
