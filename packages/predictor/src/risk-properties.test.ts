import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FailureKind, SessionOutcome } from './outcome-ledger.js'
import { RiskModel } from './risk.js'
import type { RiskAssessment } from './risk-assessment.js'
import { expectSound } from './testing/sound.js'

const KEYS = ['a1', 'a2', 'b1', 'c1']
const storeOf = (session: string): string => session.slice(0, 1)
const key = fc.constantFrom(...KEYS)
const outcome = fc.constantFrom<SessionOutcome>('completed', 'failed', 'superseded', 'cancelled', 'takenOver')

const failure = fc.constantFrom<FailureKind>('connection', 'timeout', 'serverError', 'load', 'configuration')

type Step = (model: RiskModel, nowMs: number) => void
const step: fc.Arbitrary<Step> = fc.oneof(
  key.map(
    (session): Step =>
      (m, nowMs) =>
        m.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7 }),
  ),
  fc.tuple(key, fc.integer({ min: 0, max: 1e7 }), fc.boolean()).map(
    ([session, bytes, appLimited]): Step =>
      (m, nowMs) =>
        m.acknowledged({ nowMs, session, bytes, appLimited }),
  ),
  fc.tuple(key, fc.integer({ min: 0, max: 60_000 })).map(
    ([session, roundTripMs]): Step =>
      (m, nowMs) =>
        m.requestRtt({ nowMs, store: storeOf(session), roundTripMs }),
  ),
  key.map(
    (session): Step =>
      (m, nowMs) =>
        m.heard({ nowMs, store: storeOf(session) }),
  ),
  key.map(
    (session): Step =>
      (m, nowMs) =>
        m.probeLost({ nowMs, store: storeOf(session) }),
  ),
  fc.tuple(key, outcome, failure).map(
    ([session, how, kind]): Step =>
      (m, nowMs) =>
        m.sessionEnded({ nowMs, session, outcome: how, failure: kind }),
  ),
  fc.tuple(key, fc.double({ min: 0, max: 1, noNaN: true })).map(
    ([session, load]): Step =>
      (m, nowMs) =>
        m.serverLoad({ nowMs, store: storeOf(session), load }),
  ),
  fc.tuple(key, fc.integer({ min: 0, max: 1e9 })).map(
    ([session, retryAfterMs]): Step =>
      (m, nowMs) =>
        m.busy({ nowMs, store: storeOf(session), retryAfterMs }),
  ),
  fc.integer({ min: 0, max: 1e6 }).map(
    (gapMs): Step =>
      (m, nowMs) =>
        m.localPause({ nowMs, gapMs }),
  ),
  fc.constant<Step>((m, nowMs) => m.tick({ nowMs })),
  fc.constant<Step>((m, nowMs) => m.wantsProbe({ nowMs })),
)
const forwards = fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 20_000 }))
const anyhow = fc.oneof(forwards, fc.double({ min: -1e15, max: 1e15, noNaN: true }))

/** A model after a history, with every session in flight, and the time it has come to. */
function history(steps: [number, Step][]): { model: RiskModel; nowMs: number } {
  const model = new RiskModel()
  let nowMs = 0
  for (const session of KEYS) model.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7 })
  for (const [stepMs, act] of steps) {
    nowMs += stepMs
    act(model, nowMs)
  }
  return { model, nowMs }
}
const histories = (by: fc.Arbitrary<number>): fc.Arbitrary<[number, Step][]> =>
  fc.array(fc.tuple(by, step), { maxLength: 120 })

test('whatever happens, and whatever the clock does, every answer is a number in its range', () => {
  fc.assert(
    fc.property(histories(anyhow), (steps) => {
      const { model, nowMs } = history(steps)
      for (const session of KEYS) {
        model.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7 })
        const a = model.assess({ nowMs, session, remainingBytes: 1e7 })
        expectSound(a)
        const { goodputBytesPerSecond, requestRttMs, minRequestRttMs, lossShare, lastHeardMs, ...always } = model.store(
          storeOf(session),
        )
        for (const value of [goodputBytesPerSecond, requestRttMs, minRequestRttMs, lossShare, lastHeardMs]) {
          expect(value === undefined || Number.isFinite(value)).toBe(true)
        }
        for (const value of Object.values(always)) expect(Number.isFinite(value) && value >= 0).toBe(true)
      }
      const { pGood, pBad, pOutage } = model.link()
      expect(pGood + pBad + pOutage).toBeCloseTo(1, 9)
    }),
  )
})

test('a longer gap never lowers the risk, with ticks or without', () => {
  fc.assert(
    fc.property(
      histories(forwards),
      key,
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 30 }),
      (steps, session, ticks, later) => {
        const { model, nowMs: fromMs } = history(steps)
        let nowMs = fromMs
        model.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7 })
        model.acknowledged({ nowMs: fromMs + 1, session, bytes: 50_000 })
        nowMs += 251
        model.tick({ nowMs })
        let last = 0
        for (const stepMs of later) {
          const { risk } = model.assess({ nowMs, session, remainingBytes: 1e6 })
          expect(risk).toBeGreaterThanOrEqual(last - 1e-6)
          last = risk
          nowMs += stepMs
          if (ticks) model.tick({ nowMs })
        }
      },
    ),
  )
})

test('time that jumps back does not stop the clocks', () => {
  const { model } = history([])
  model.tick({ nowMs: 1e12 })
  model.acknowledged({ nowMs: 0, session: 'a1', bytes: 1_000 })
  expect(model.assess({ nowMs: 700, session: 'a1', remainingBytes: 1 }).gapMs).toBeCloseTo(700)
  expect(model.store('a').lastHeardMs).toBeCloseTo(0)
})

test('bad quantities and unknown sessions are coded errors that quote what was given', () => {
  const { model } = history([])
  expect(() => model.tick({ nowMs: Number.NaN })).toThrow(expect.objectContaining({ code: 'invalidTime' }))
  const bad = { nowMs: 0, session: 'a1', bytes: -3 }
  expect(() => model.acknowledged(bad)).toThrow(
    expect.objectContaining({ code: 'invalidQuantity', message: expect.stringContaining('-3') }),
  )
  const unknown = { nowMs: 0, session: 'zz', remainingBytes: 1 }
  expect(() => model.assess(unknown)).toThrow(
    expect.objectContaining({ code: 'unknownSession', message: expect.stringContaining('zz') }),
  )
  expect(() => new RiskModel({ tickMs: 0 })).toThrow(expect.objectContaining({ code: 'invalidOption' }))
})

test('the largest numbers that are taken do no harm', () => {
  const { model } = history([])
  const most = Number.MAX_SAFE_INTEGER
  for (let n = 0; n < 50; n++) {
    model.acknowledged({ nowMs: n % 2 === 0 ? most : -most, session: 'a1', bytes: most })
    model.requestRtt({ nowMs: n, store: 'a', roundTripMs: most })
    expect(model.assess({ nowMs: n, session: 'a1', remainingBytes: most }).risk).toBeLessThanOrEqual(1)
  }
  expect(() => model.heard({ nowMs: 1e300, store: 'a' })).toThrow('1e+300')
  expect(() => model.acknowledged({ nowMs: 0, session: 'a1', bytes: 1e300 })).toThrow('1e+300')
})

test('an ended session is forgotten, and its late reports are ignored', () => {
  const { model } = history([])
  for (const session of KEYS) model.sessionEnded({ nowMs: 10, session, outcome: 'cancelled' })
  model.acknowledged({ nowMs: 20, session: 'a1', bytes: 1_000 })
  model.sessionEnded({ nowMs: 20, session: 'a1', outcome: 'failed' })
  expect(() => model.assess({ nowMs: 20, session: 'a1', remainingBytes: 1 })).toThrow('a1')
  expect(model.store('a').meanTimeBetweenFailuresMs).toBe(60_000)
  expect(model.link().phi).toBe(0)
})

/** What silence that others witnessed makes of `server`; load apart, which fades. */
const silent = (blame: RiskAssessment['blame']): number =>
  blame.find(({ factor }) => factor === 'serverSilent')?.weight ?? 0

test('neither time alone nor a question that its own store leaves unanswered lowers risk, phi or what silence made of server', () => {
  const unanswered = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.boolean(), fc.boolean()), { maxLength: 25 })
  fc.assert(
    fc.property(histories(forwards), key, unanswered, (steps, session, later) => {
      const { model, nowMs: fromMs } = history(steps)
      let nowMs = fromMs
      model.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7, plannedMs: 20_000 })
      let last = model.assess({ nowMs, session, remainingBytes: 1e6 })
      for (const [stepMs, asks, loses] of later) {
        nowMs += stepMs
        if (asks) model.wantsProbe({ nowMs })
        if (loses) model.probeLost({ nowMs, store: storeOf(session) })
        const next = model.assess({ nowMs, session, remainingBytes: 1e6 })
        expect(next.risk).toBeGreaterThanOrEqual(last.risk)
        expect(next.phi).toBeGreaterThanOrEqual(last.phi)
        expect(silent(next.blame)).toBeGreaterThanOrEqual(silent(last.blame))
        expect(next.expectedRemainingMs).toBeGreaterThanOrEqual(last.expectedRemainingMs * (1 - 1e-9))
        last = next
      }
    }),
  )
})

test('with one store, two or three, over pauses and from one page to the next, every answer on the way is sound', () => {
  const page = fc.array(fc.tuple(forwards, step), { maxLength: 60 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(page, { minLength: 1, maxLength: 4 }), (stores, pages) => {
      let model = new RiskModel()
      let nowMs = 0
      const inUse = KEYS.filter((session) => 'abc'.indexOf(storeOf(session)) < stores)
      for (const steps of pages) {
        for (const session of inUse) {
          model.sessionStarted({ nowMs, session, store: storeOf(session), rangeBytes: 1e7 })
        }
        for (const [stepMs, act] of steps) {
          nowMs += stepMs
          act(model, nowMs)
          for (const session of inUse) {
            const known = model.factors.bind(model, { nowMs, session, remainingBytes: 1e6 })
            if (isInFlight(known)) expectSound(model.assess({ nowMs, session, remainingBytes: 1e6 }))
          }
        }
        model = RiskModel.fromJSON(JSON.stringify(model), { nowMs, ageMs: 5_000 })
      }
    }),
    { numRuns: 40 },
  )
})

function isInFlight(ask: () => unknown): boolean {
  try {
    ask()
    return true
  } catch {
    return false
  }
}
