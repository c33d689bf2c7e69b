import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SilenceWitness, SKEW_TOLERANCE_MS } from './silence-witness.js'

const RHYTHM_MS = 100
const gaps = fc.array(fc.integer({ min: 1, max: 380 }), { minLength: 1, maxLength: 60 })

/** A sign of life from elsewhere, another session having spoken each 100 ms before. */
function hear(witness: SilenceWitness, nowMs: number, o: { probeLost?: boolean; observers?: boolean } = {}): void {
  witness.lifeElsewhere({
    nowMs,
    allSilentSinceMs: witness.sinceMs,
    observersRhythmMs: o.observers === false ? undefined : RHYTHM_MS,
    probeLost: o.probeLost ?? false,
  })
}

test('signs of life that follow each other witness the whole silence, less the skew', () => {
  fc.assert(
    fc.property(gaps, (each) => {
      const witness = new SilenceWitness(0)
      let nowMs = 0
      for (const gapMs of each) {
        nowMs += gapMs
        hear(witness, nowMs)
      }
      expect(witness.witnessedMs).toBe(Math.max(0, nowMs - SKEW_TOLERANCE_MS))
      expect(witness.excusedMs).toBe(0)
    }),
  )
})

test('with nobody else in flight each answer vouches for 400 ms before it at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 40 }), (each) => {
      const witness = new SilenceWitness(0)
      let nowMs = 0
      for (const gapMs of each) {
        nowMs += gapMs
        hear(witness, nowMs, { observers: false })
      }
      const vouched = each.reduce((sum, gapMs) => sum + Math.min(400, gapMs), 0)
      expect(witness.witnessedMs).toBe(Math.max(0, vouched - SKEW_TOLERANCE_MS))
    }),
  )
})

test('an outage witnesses nothing, and excuses for as long again and 1.5 s at most; then others’ life counts', () => {
  fc.assert(
    fc.property(fc.integer({ min: 401, max: 60_000 }), fc.integer({ min: 0, max: 200 }), (darkMs, beyond) => {
      const witness = new SilenceWitness(0)
      hear(witness, darkMs)
      expect([witness.witnessedMs, witness.excusedMs]).toEqual([0, 0])
      const excusedMs = darkMs + Math.min(1_500, darkMs)
      for (let nowMs = darkMs + 100; nowMs < darkMs + excusedMs; nowMs += 100) {
        expect(witness.isExcused(nowMs)).toBe(true)
        hear(witness, nowMs)
      }
      expect(witness.witnessedMs).toBe(0)
      for (let step = 0; step <= beyond; step++) hear(witness, darkMs + excusedMs + 100 * step)
      expect(witness.isExcused(darkMs + excusedMs)).toBe(false)
      expect(Math.abs(witness.witnessedMs - Math.max(0, 100 * beyond - SKEW_TOLERANCE_MS))).toBeLessThanOrEqual(100)
    }),
    { numRuns: 30 },
  )
})

test('a question asked since the light and not answered ends the excuse, one asked before or with it does not', () => {
  const dark = (): SilenceWitness => {
    const witness = new SilenceWitness(0)
    hear(witness, 5_000)
    for (let nowMs = 5_100; nowMs <= 7_000; nowMs += 100) hear(witness, nowMs)
    return witness
  }
  for (const askedMs of [0, 4_999, 5_000]) {
    const witness = dark()
    witness.unansweredSince(askedMs)
    expect([witness.witnessedMs, witness.excusedMs]).toEqual([0, 1_700])
  }
  const witness = dark()
  witness.unansweredSince(5_001)
  expect([witness.witnessedMs, witness.excusedMs]).toEqual([1_700, 0])
  expect(witness.isExcused(7_000)).toBe(false)
})

test('what others moved while no question was answered is taken back, and never more than there was', () => {
  fc.assert(
    fc.property(gaps, fc.integer({ min: 0, max: 30_000 }), (each, agoMs) => {
      const witness = new SilenceWitness(0)
      let nowMs = 0
      for (const gapMs of each) {
        nowMs += gapMs
        hear(witness, nowMs)
      }
      witness.unheardSince(nowMs - agoMs, nowMs)
      expect(witness.witnessedMs).toBe(Math.max(0, nowMs - agoMs - SKEW_TOLERANCE_MS))
    }),
  )
})

test('progress forgets it all', () => {
  const witness = new SilenceWitness(0)
  hear(witness, 10_000)
  for (let nowMs = 10_100; nowMs < 40_000; nowMs += 100) hear(witness, nowMs)
  expect(witness.witnessedMs).toBeGreaterThan(0)
  witness.restart(40_000)
  expect([witness.witnessedMs, witness.excusedMs, witness.sinceMs]).toEqual([0, 0, 40_000])
  expect(witness.isExcused(40_000)).toBe(false)
})
