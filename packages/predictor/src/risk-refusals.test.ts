import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PredictorError } from './predictor-error.js'
import { RiskModel } from './risk.js'

const STORES = ['a', 'b', 'c'] as const
/** At some time after the last. */
const good = fc.record({
  which: fc.nat(9),
  at: fc.nat(2),
  afterMs: fc.nat(600),
  amount: fc.integer({ min: 1, max: 1e6 }),
})
type Good = typeof good extends fc.Arbitrary<infer T> ? T : never

/** Tells a model something sound; sessions are named after their stores. */
function tell(model: RiskModel, nowMs: number, { which, at, amount }: Good): void {
  const store = STORES[at] ?? 'a'
  const session = store
  const calls = [
    () => model.sessionStarted({ nowMs, session, store, rangeBytes: amount, plannedMs: amount / 100 }),
    () => model.acknowledged({ nowMs, session, bytes: amount }),
    () => model.requestRtt({ nowMs, store, roundTripMs: amount / 1e4 }),
    () => model.heard({ nowMs, store }),
    () => model.probeLost({ nowMs, store }),
    () => model.serverLoad({ nowMs, store, load: amount / 1e6, session }),
    () => model.sessionEnded({ nowMs, session, outcome: 'failed', failure: 'timeout' }),
    () => model.localPause({ nowMs, gapMs: amount / 100 }),
    () => model.tick({ nowMs }),
    () => void model.wantsProbe({ nowMs }),
  ]
  calls[which]?.()
}

const badTime = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1e300, 2 ** 60, '5', null, undefined)
const badAmount = fc.constantFrom(Number.NaN, -1, -1e-9, Number.POSITIVE_INFINITY, 1e300, '5', null, {}, [])
const badKey = fc.constantFrom(undefined, null, 7, {}, ['a'])
/** A sound one, however far off: it is what a refused call leaves behind that counts. */
const anyTime = fc.integer({ min: -1e15, max: 1e15 })

/** A call with one thing wrong, as a program without types might make it. */
const bad = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        ...([
          'sessionStarted',
          'acknowledged',
          'requestRtt',
          'heard',
          'probeLost',
          'serverLoad',
          'busy',
          'sessionEnded',
          'localPause',
          'tick',
          'assess',
          'factors',
          'wantsProbe',
        ] as const),
      ),
      badTime,
    )
    .map(([name, nowMs]) => [name, { nowMs }] as const),
  fc
    .tuple(
      fc.constantFrom(
        ...([
          ['sessionStarted', 'rangeBytes'],
          ['sessionStarted', 'plannedMs'],
          ['acknowledged', 'bytes'],
          ['requestRtt', 'roundTripMs'],
          ['serverLoad', 'load'],
          ['busy', 'retryAfterMs'],
          ['localPause', 'gapMs'],
          ['assess', 'remainingBytes'],
          ['factors', 'remainingBytes'],
        ] as const),
      ),
      badAmount,
      anyTime,
    )
    .map(([[name, field], value, nowMs]) => [name, { nowMs, [field]: value }] as const),
  fc
    .tuple(
      fc.constantFrom(...(['sessionStarted', 'requestRtt', 'heard', 'probeLost', 'serverLoad', 'busy'] as const)),
      badKey,
      anyTime,
    )
    .map(([name, store, nowMs]) => [name, { nowMs, store }] as const),
  fc
    .tuple(fc.constantFrom(...(['sessionStarted', 'assess', 'factors'] as const)), badKey, anyTime)
    .map(([name, session, nowMs]) => [name, { nowMs, session }] as const),
  fc
    .tuple(fc.constantFrom('assess', 'factors'), fc.constantFrom('nobody', '', 'toString'), anyTime)
    .map(([name, session, nowMs]) => [name, { nowMs, session }] as const),
  fc
    .tuple(fc.constantFrom({ outcome: 'lost' }, { failure: 'constructor' }), anyTime)
    .map(([wrong, nowMs]) => ['sessionEnded', { nowMs, ...wrong }] as const),
)
type Bad = typeof bad extends fc.Arbitrary<infer T> ? T : never

const SOUND = {
  ...{ session: 'a', store: 'a', rangeBytes: 1, bytes: 1, roundTripMs: 1, load: 0.5, gapMs: 1, remainingBytes: 1 },
  outcome: 'failed',
}

function expectRefused(model: RiskModel, [name, wrong]: Bad): void {
  const method = (model[name as keyof RiskModel] as (o: object) => unknown).bind(model)
  try {
    method({ ...SOUND, ...wrong })
  } catch (error) {
    expect(error).toBeInstanceOf(PredictorError)
    const { code, message } = error as PredictorError
    expect(code).toMatch(/^(invalid(Time|Quantity|Option|Key)|unknownSession)$/)
    expect(message).toMatch(/(got|called|range:) \S/)
    return
  }
  expect.unreachable(`${name} took ${JSON.stringify(wrong)}`)
}

/** All that a caller can see of it, at this time. */
function seen(model: RiskModel, nowMs: number): string {
  const inFlight = STORES.flatMap((session) => {
    try {
      return [model.assess({ nowMs, session, remainingBytes: 1e6 })]
    } catch {
      return []
    }
  })
  return JSON.stringify([inFlight, STORES.map((store) => model.store(store)), model.link(), model])
}

test('after a refused call a model says what it would have said without, whatever is wrong and whenever', () => {
  fc.assert(
    fc.property(
      fc.array(good, { maxLength: 40 }),
      fc.array(bad, { minLength: 1, maxLength: 5 }),
      fc.array(good, { maxLength: 20 }),
      (before, refused, after) => {
        const [told, twin] = [new RiskModel(), new RiskModel()]
        let nowMs = 0
        const both = (call: Good): void => {
          nowMs += call.afterMs
          tell(told, nowMs, call)
          tell(twin, nowMs, call)
        }
        for (const model of [told, twin]) model.sessionStarted({ nowMs, session: 'a', store: 'a', rangeBytes: 1e6 })
        before.forEach(both)
        for (const one of refused) expectRefused(told, one)
        after.forEach(both)
        expect(seen(told, nowMs)).toBe(seen(twin, nowMs))
      },
    ),
    { numRuns: 100 },
  )
})
