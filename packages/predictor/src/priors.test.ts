import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fit } from './log/fit.js'
import { type Priors, parseModel, priorsOf } from './log/model-file.js'
import { readLog } from './log/read-log.js'
import { RiskModel } from './risk.js'
import type { RiskAssessment } from './risk-assessment.js'
import { FACTORS } from './risk-factors.js'
import { three } from './testing/play.js'

const text = readFileSync(new URL('log/testing/degrade.ndjson', import.meta.url), 'utf8')
/** The demo's log as of a network so many times slower: on this machine's own, gaps are below any floor. */
const slower = (times: number): string =>
  text.replace(/"elapsedMs":([\d.]+)/g, (_, ms) => `"elapsedMs":${times * Number(ms)}`)
/** What a log teaches, as a file that was written and read again. */
const learnedFrom = (log: string): Priors =>
  priorsOf(parseModel(JSON.stringify(fit([readLog({ name: 'log.ndjson', text: log, sha256: 'ab' })], 0))))

/** A session of a store just met, after this much silence. */
function first(priors: Priors, silentMs: number): RiskAssessment {
  const model = new RiskModel({ priors })
  model.sessionStarted({ nowMs: 0, session: 's', store: 'new', rangeBytes: 1e6 })
  return model.assess({ nowMs: silentMs, session: 's', remainingBytes: 1e6 })
}

test('what the demo’s log taught is where the next model starts', () => {
  const learned = learnedFrom(slower(4))
  expect(Object.keys(learned)).toEqual(expect.arrayContaining(['gaps', 'startGaps', 'hazard']))
  const [cold, warm] = [first({}, 2_000), first(learned, 2_000)]
  // sessions there take 1.2 s to begin: 2 s are not as late as they are to a model that knows nothing
  expect(warm.phi).toBeLessThan(0.8 * cold.phi)
  expect(warm.risk).toBeLessThan(cold.risk)
  expect(first(learned, 20_000).phi).toBeGreaterThan(3)
  const hazard = (priors: Priors) => new RiskModel({ priors }).store('new').failuresPerSecond
  expect(hazard(learned)).toBeCloseTo((learned.hazard?.failures ?? 0) / (learned.hazard?.seconds ?? 1))
})

test('a rhythm faster than the floors makes nothing more suspicious', () => {
  expect(first(learnedFrom(text), 1_000).phi).toBe(first({}, 1_000).phi)
})

test('a link that turns often makes silence the link’s sooner', () => {
  const rates = { goodSeconds: 300, badSeconds: 100, goodBadPerSecond: 0.1, badGoodPerSecond: 0.3 }
  const turning = { link: { ...rates, goodToBad: 30, badToGood: 30 } }
  const pBad = (priors: Priors): number => {
    const model = new RiskModel({ priors })
    for (let nowMs = 0; nowMs <= 30_000; nowMs += 250) model.tick({ nowMs })
    return 1 - model.link().pGood
  }
  expect(pBad(turning)).toBeGreaterThan(1.5 * pBad({}))
})

test('stores that fail often are distrusted from the start, and their own history still outweighs it', () => {
  const failing = { hazard: { failures: 1.5, seconds: 15 } }
  expect(new RiskModel({ priors: failing }).store('new').failuresPerSecond).toBeCloseTo(0.1)
  const model = new RiskModel({ priors: failing })
  model.sessionStarted({ nowMs: 0, session: 's', store: 'a', rangeBytes: 1e9 })
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) model.acknowledged({ nowMs, session: 's', bytes: 50_000 })
  expect(model.store('a').failuresPerSecond).toBeLessThan(0.06)
})

test('where sessions take three times their plan, one that has a plan is more likely late', () => {
  const late = (priors: Priors): number => {
    const model = new RiskModel({ priors })
    const range = { store: 'a', rangeBytes: 1e6 }
    model.sessionStarted({ nowMs: 0, session: 'before', ...range })
    for (let nowMs = 100; nowMs <= 2_000; nowMs += 100) model.acknowledged({ nowMs, session: 'before', bytes: 50_000 })
    model.sessionEnded({ nowMs: 2_000, session: 'before', outcome: 'completed' })
    model.sessionStarted({ nowMs: 2_000, session: 'next', ...range })
    return model.factors({ nowMs: 2_000, session: 'next', remainingBytes: 1e6 })?.[FACTORS.indexOf('late')] ?? 0
  }
  expect(late({ completion: { meanLog: Math.log(3), sigma: 0.3 } })).toBeGreaterThan(late({}) + 1)
})

test('a fitted calibration corrects from the first assessment on, and leaves the raw risk as it is', () => {
  const doubtful = first({ calibration: { slope: 1, intercept: -3 } }, 2_000)
  expect(doubtful.calibrated.risk).toBeLessThan(0.6 * doubtful.risk)
  expect(doubtful.risk).toBe(first({}, 2_000).risk)
})

test('a value that no model has is refused by its name before anything starts from it', () => {
  const bad: [object, string][] = [
    [{ gaps: { meanLog: Number.NaN, sigma: 1 } }, 'gaps.meanLog'],
    [{ hazard: { failures: -1, seconds: 15 } }, 'hazard.failures'],
    [{ link: {} }, 'link.goodBadPerSecond'],
    [{ completion: 'fast' }, 'completion'],
  ]
  for (const [priors, name] of bad)
    expect(() => new RiskModel({ priors: priors as Priors })).toThrow(
      expect.objectContaining({ code: 'invalidModel', message: expect.stringContaining(name) }),
    )
})

const logNormal = fc.record({
  meanLog: fc.double({ min: -5, max: 10, noNaN: true }),
  sigma: fc.double({ min: 0, max: 10, noNaN: true }),
})
const count = fc.double({ min: 0, max: 1e9, noNaN: true })
const rate = fc.double({ min: 1e-6, max: 1, noNaN: true })
const priors: fc.Arbitrary<Priors> = fc.record(
  {
    link: fc.record({
      ...{ goodBadPerSecond: rate, badGoodPerSecond: rate, goodSeconds: count, badSeconds: count },
      ...{ goodToBad: count, badToGood: count },
    }),
    gaps: logNormal,
    startGaps: logNormal,
    completion: logNormal,
    hazard: fc.record({
      failures: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      seconds: fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
    }),
    calibration: fc.record({
      slope: fc.double({ min: 0.01, max: 100, noNaN: true }),
      intercept: fc.double({ min: -50, max: 50, noNaN: true }),
    }),
  },
  { requiredKeys: [] },
)

test('whatever was learned, probabilities stay probabilities, and the state of such a model is taken back', () => {
  fc.assert(
    fc.property(priors, fc.nat(20_000), (given, silentMs) => {
      const { risk, link, server, straggle, late, calibrated } = first(given, silentMs)
      for (const p of [risk, link, server, straggle, late, calibrated.risk]) {
        expect(p).toBeGreaterThanOrEqual(0)
        expect(p).toBeLessThanOrEqual(1)
      }
      const model = new RiskModel({ priors: given })
      model.heard({ nowMs: 0, store: 'a' })
      RiskModel.fromJSON(JSON.stringify(model), { nowMs: 0, ageMs: 0, options: { priors: given } })
    }),
    { numRuns: 300 },
  )
})

test('what a model has seen itself outlives what it was fitted to', () => {
  const play = three()
  const options = { priors: { gaps: { meanLog: Math.log(5_000), sigma: 0.1 } } }
  const model = RiskModel.fromJSON(JSON.stringify(play.model), { nowMs: 0, ageMs: 0, options })
  const phiAfter = (store: string): number => {
    model.sessionStarted({ nowMs: 0, session: store, store, rangeBytes: 1e6 })
    model.acknowledged({ nowMs: 1, session: store, bytes: 1 })
    return model.assess({ nowMs: 2_000, session: store, remainingBytes: 1e6 }).phi
  }
  expect(phiAfter('a')).toBeGreaterThan(3)
  expect(phiAfter('new')).toBeLessThan(0.5)
})
