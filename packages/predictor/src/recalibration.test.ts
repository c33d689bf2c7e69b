import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EndedSession } from './outcome-ledger.js'
import { PARTS, type Parts, PredictionSamples, Recalibration } from './recalibration.js'
import { SessionRecord } from './session-record.js'
import { StoreRecord } from './store-record.js'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const parts: fc.Arbitrary<Parts> = fc.record({ risk: share, link: share, server: share, straggle: share })

/** A session of a second whose risk was told at its start. */
function session(predicted: Parts, outcome: Partial<EndedSession> = {}): EndedSession {
  const store = new StoreRecord(0)
  const record = new SessionRecord({ nowMs: 0, storeKey: 'a', store, rangeBytes: 1e6, optimism: 0 })
  record.expectToTake(1_000)
  record.samples.take(0, predicted)
  return {
    ...{ nowMs: 1_000, session: record, outcome: 'completed', failure: 'connection', pLinkGood: 1, isBlamed: false },
    ...outcome,
  }
}
const taught = (each: EndedSession, times = 200): Recalibration => {
  const recalibration = new Recalibration()
  for (let n = 0; n < times; n++) recalibration.ended(each)
  return recalibration
}

test('predictions are taken once at 0, 1.25, 2.5 and 5 s of a session', () => {
  const samples = new PredictionSamples(1_000)
  const at = (risk: number): Parts => ({ risk, link: 0, server: 0, straggle: 0 })
  for (let nowMs = 1_000; nowMs <= 9_000; nowMs += 50) samples.take(nowMs, at((nowMs - 1_000) / 10_000))
  expect(samples.taken.map(({ risk }) => risk)).toEqual([0, 0.125, 0.25, 0.5])
})

test('until fifty outcomes nothing is corrected', () => {
  fc.assert(
    fc.property(parts, parts, (predicted, asked) => {
      expect(taught(session(predicted), 49).apply(asked)).toEqual(asked)
    }),
  )
})

test('what always went well lowers every part, and what always failed by the server’s word raises its part alone', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.15, max: 0.85, noNaN: true }), (p) => {
      const predicted = { risk: p, link: p, server: p, straggle: p }
      const well = taught(session(predicted)).apply(predicted)
      for (const part of PARTS) expect(well[part]).toBeLessThan(predicted[part])
      const failed = taught(session(predicted, { outcome: 'failed', failure: 'serverError' })).apply(predicted)
      expect(failed.risk).toBeGreaterThan(predicted.risk)
      expect(failed.server).toBeGreaterThan(predicted.server)
      expect(failed.link).toBeLessThan(predicted.link)
    }),
    { numRuns: 30 },
  )
})

test('an ending that says nothing teaches nothing, and one that others caused counts as it was predicted', () => {
  fc.assert(
    fc.property(parts, (predicted) => {
      const fresh = new Recalibration().known
      expect(taught(session(predicted, { outcome: 'cancelled' })).known).toEqual(fresh)
      for (const failure of ['load', 'configuration'] as const) {
        expect(taught(session(predicted, { outcome: 'failed', failure })).known).toEqual(fresh)
      }
      for (const outcome of ['superseded', 'takenOver'] as const) {
        const { known } = taught(session(predicted, { outcome }))
        for (const part of PARTS) {
          for (const [, expected, came] of known[part].bins) expect(came).toBeCloseTo(expected, 9)
        }
      }
    }),
    { numRuns: 30 },
  )
})
