import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PredictorError } from './predictor-error.js'
import { RiskModel } from './risk.js'
import { three } from './testing/play.js'
import { expectSound } from './testing/sound.js'

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
      expectSound(model.assess({ nowMs: 900, session: 's', remainingBytes: 9e5 }))
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

test.each(['completed', 'failed', 'superseded', 'takenOver'] as const)(
  'a session without a byte, or with no plan to speak of, may be %s',
  (outcome) => {
    for (const plannedMs of [Number.MIN_VALUE, 0.5, 1_000]) {
      const model = new RiskModel()
      model.sessionStarted({ nowMs: 0, session: 's', store: 'a', rangeBytes: 1e9, plannedMs })
      model.assess({ nowMs: 100, session: 's', remainingBytes: 0 })
      model.sessionEnded({ nowMs: 200, session: 's', outcome })
      expect(model.toJSON().stores).toMatchObject([{ completions: [] }])
    }
  },
)

test('of thousands of stores, those in use and those heard last are kept', () => {
  const model = new RiskModel()
  model.sessionStarted({ nowMs: 0, session: 's', store: 'in use', rangeBytes: 1e6 })
  for (let nowMs = 1; nowMs <= 5_000; nowMs++) model.requestRtt({ nowMs, store: `s${nowMs}`, roundTripMs: 20 })
  const isKnown = (store: string): boolean => model.store(store).requestRttMs !== undefined
  expect([isKnown('s5000'), isKnown('s4800'), isKnown('s4700'), isKnown('s1')]).toEqual([true, true, false, false])
  expect(model.assess({ nowMs: 5_001, session: 's', remainingBytes: 1e6 }).gapMs).toBe(5_001)
})

test('no store buys itself patience by answering small requests after hours', () => {
  const model = new RiskModel()
  model.sessionStarted({ nowMs: 0, session: 's', store: 'a', rangeBytes: 1e9 })
  for (let nowMs = 100; nowMs <= 5_000; nowMs += 100) {
    model.acknowledged({ nowMs, session: 's', bytes: 1e5 })
    model.requestRtt({ nowMs, store: 'a', roundTripMs: Number.MAX_SAFE_INTEGER })
  }
  expect(model.store('a')).toMatchObject({ requestRttMs: 60_000, rtoMs: 60_000 })
  expect(model.assess({ nowMs: 125_000, session: 's', remainingBytes: 1e9 }).phi).toBeGreaterThan(3.5)
})

test('a plan that is beyond all numbers is none, and poisons nothing', () => {
  const model = new RiskModel()
  model.sessionStarted({ nowMs: 0, session: 's', store: 'a', rangeBytes: Number.MIN_VALUE, plannedMs: 1_000 })
  const { risk, late } = model.assess({ nowMs: 100, session: 's', remainingBytes: 1e9 })
  expect([risk > 0 && risk < 1, late]).toEqual([true, 0])
})

test.each([
  ['lost', undefined, 'outcome must be one of completed, failed, superseded, cancelled, takenOver, got "lost"'],
  ['toString', undefined, 'outcome'],
  ['failed', 'constructor', 'failure must be one of connection, timeout, serverError, load, configuration, got'],
])('a session that ended with the words %s and %s is refused and stays in flight', (outcome, failure, message) => {
  const model = new RiskModel()
  model.sessionStarted({ nowMs: 0, session: 'a', store: 'a', rangeBytes: 1e6 })
  const end = { nowMs: 100, session: 'a', outcome, failure } as Parameters<typeof model.sessionEnded>[0]
  expect(() => model.sessionEnded(end)).toThrow(expect.objectContaining({ code: 'invalidOption' }))
  expect(() => model.sessionEnded(end)).toThrow(message)
  expect(model.assess({ nowMs: 200, session: 'a', remainingBytes: 1 }).risk).toBeGreaterThan(0)
})
