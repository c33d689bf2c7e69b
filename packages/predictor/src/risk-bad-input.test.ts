import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PredictorError } from './predictor-error.js'
import { RiskModel } from './risk.js'
import { three } from './testing/play.js'

/** Anything that a program may hand over as a number. */
const any = fc.oneof(
  fc.double(),
  fc.integer({ min: -1e6, max: 1e6 }),
  fc.constantFrom(0, -0, 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, -1e300, 2 ** 53, Number.MIN_VALUE),
)
const key = fc.constantFrom('a', 'b', 'nobody', '')
const outcome = fc.constantFrom('completed', 'failed', 'superseded', 'cancelled', 'takenOver' as const)
const call = fc.record({ which: fc.nat(11), key, nowMs: any, value: any, outcome })
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

function act(model: RiskModel, { which, key: session, nowMs, value, outcome: how }: Call): void {
  const store = session
  const calls = [
    () => model.sessionStarted({ nowMs, session, store, rangeBytes: value }),
    () => model.acknowledged({ nowMs, session, bytes: value }),
    () => model.acknowledged({ nowMs, session, bytes: value, appLimited: true }),
    () => model.requestRtt({ nowMs, store, roundTripMs: value }),
    () => model.heard({ nowMs, store }),
    () => model.probeLost({ nowMs, store }),
    () => model.serverLoad({ nowMs, store, load: value }),
    () => model.busy({ nowMs, store, retryAfterMs: value }),
    () => model.sessionEnded({ nowMs, session, outcome: how as 'completed', failure: 'timeout' }),
    () => model.localPause({ nowMs, gapMs: value }),
    () => model.tick({ nowMs }),
    () => void model.assess({ nowMs, session, remainingBytes: value }),
  ]
  calls[which]?.()
}

test('any calls with any numbers are taken or refused by a coded error, and the model stays whole', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 80 }), (calls) => {
      const model = new RiskModel()
      for (const one of calls) {
        try {
          act(model, one)
        } catch (error) {
          expect(error).toBeInstanceOf(PredictorError)
        }
      }
      model.sessionStarted({ nowMs: 0, session: 's', store: 'a', rangeBytes: 1e6 })
      model.acknowledged({ nowMs: 300, session: 's', bytes: 1e5 })
      const { because, calibrated, ...values } = model.assess({ nowMs: 900, session: 's', remainingBytes: 9e5 })
      for (const value of Object.values(values)) expect(Number.isFinite(value) && value >= 0).toBe(true)
      for (const p of [values.risk, values.link, values.server, values.straggle, values.late]) {
        expect(p).toBeLessThanOrEqual(1)
      }
      for (const p of [...Object.values(calibrated), ...because.map(({ weight }) => weight)]) {
        expect(p >= 0 && p <= 1).toBe(true)
      }
      // what it remembers of all this is taken back
      RiskModel.fromJSON(JSON.stringify(model), { nowMs: 0, ageMs: 1_000 })
    }),
    { numRuns: 300 },
  )
})

test('each bad quantity is refused by a coded error that quotes it, and changes nothing', () => {
  const { model, nowMs } = three()
  const before = JSON.stringify([model, model.store('a'), model.link()])
  const refused: [() => void, string][] = [
    [() => model.serverLoad({ nowMs, store: 'a', load: 1.25 }), '1.25'],
    [() => model.busy({ nowMs, store: 'a', retryAfterMs: -7 }), '-7'],
    [() => model.localPause({ nowMs, gapMs: Number.NaN }), 'NaN'],
    [() => model.requestRtt({ nowMs, store: 'a', roundTripMs: -3 }), '-3'],
    [() => model.sessionStarted({ nowMs, session: 's', store: 'a', rangeBytes: 1e300 }), '1e+300'],
    [() => void model.assess({ nowMs, session: 'a', remainingBytes: -2 }), '-2'],
    [() => void model.assess({ nowMs, session: 'nobody', remainingBytes: 2 }), 'nobody'],
    [() => model.tick({ nowMs: Number.POSITIVE_INFINITY }), 'Infinity'],
  ]
  for (const [act, quoted] of refused) {
    expect(act).toThrow(expect.objectContaining({ code: expect.any(String), message: expect.stringContaining(quoted) }))
  }
  expect(JSON.stringify([model, model.store('a'), model.link()])).toBe(before)
})

test('a mirror never heard of answers as one just met, and asking makes none', () => {
  const model = new RiskModel()
  expect(model.store('nobody').failuresPerSecond).toBeCloseTo(1 / 60)
  expect(model.toJSON().stores).toEqual([])
})
