import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { expect, test } from 'vitest'
import { type Decided, decideLeavingOneOut, medianLeadMs } from './decisions.js'
import { copiedUpTo } from './engine-copies.js'
import { expectedGain } from './expected-gain.js'
import type { Fault } from './faults.js'
import { LinkTrace } from './link-trace.js'
import { type ObservedRun, observeRun } from './observed-run.js'
import type { Policy } from './policies.js'

/** Two steady links of different speed; store 0 stalls for 40 s in each. */
const runs: readonly ObservedRun[] = [4, 40].map((mbps, run) => {
  const trace = new LinkTrace(`steady-${mbps}`, [{ durationMs: 1_000, mbps }])
  const faults: Fault[] = [{ store: 0, kind: 'storeStall', fromMs: 20_000, untilMs: 60_000 }]
  return observeRun({ trace, run, stores: 2, offsetMs: 0, faults, durationMs: 60_000, random: seededRandom('runs') })
})
const silence: Policy = { name: 'silence', isTimer: true, scoreOf: ({ gapMs }) => gapMs }
const never: Policy = { name: 'never', isTimer: true, scoreOf: () => 0 }
const always: Policy = { name: 'always', isTimer: true, scoreOf: () => 1 }
const byLink = ({ lostByTraceMs }: Decided) => [...lostByTraceMs.values()].reduce((sum, ms) => sum + ms, 0)

test('who never copies loses what the fault takes, and costs others nothing', () => {
  const decided = decideLeavingOneOut(never, runs, 0.03)
  expect(decided).toMatchObject({ extraShare: 0, delayMs: 0, copies: 0, recallServer: 0 })
  expect(decided.lostMs).toBeGreaterThan(60_000)
  expect(byLink(decided)).toBeCloseTo(decided.lostMs, 3)
})

test('a timer within its bytes copies the silent, loses less, and acts before who never does', () => {
  const decided = decideLeavingOneOut(silence, runs, 0.03)
  const idle = decideLeavingOneOut(never, runs, 0.03)
  expect(decided.extraShare).toBeLessThanOrEqual(0.04)
  expect(decided.lostMs).toBeLessThan(idle.lostMs / 2)
  const sessions = runs.flatMap((run) => run.sessions)
  expect(medianLeadMs(decided, idle, sessions)).toBeGreaterThan(20_000)
})

test('bytes sent twice have a price in time; who would copy everything may copy nothing', () => {
  expect(decideLeavingOneOut(always, runs, 0.03)).toMatchObject({ copies: 0 })
  const all = decideLeavingOneOut(always, runs, 1)
  expect(all.extraShare).toBeGreaterThan(0.1)
  expect(all.delayMs).toBeGreaterThan(60_000)
})

test('a policy with a threshold of its own is not tuned', () => {
  const decided = decideLeavingOneOut({ ...silence, threshold: 5_000 }, runs, 0.03)
  expect(decided.threshold).toBe(5_000)
  expect([...decided.lostByStoresMs.values()].reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(decided.lostMs, 3)
})

test("the engine's copies are weighed by its own formula, and not at all where its link is in doubt", () => {
  const found = { server: 0.45, straggle: 0.2, connection: 0, phi: 1.5, gapMs: 2_000, expectedRemainingMs: 30_000 }
  const around = { remainingBytes: 1e6, linkBytesPerSecond: 1e6, inFlight: 2, pLinkGood: 0.9 }
  // 2.2 s elsewhere; P = 0.56; it saves 2 x (2 s + 2.2 s) - 2.2 s
  expect(copiedUpTo(found, around)).toBeCloseTo((0.56 * 6.2) / (0.56 * 6.2 + 0.44 * 2.2))
  expect(copiedUpTo(found, { ...around, pLinkGood: 0.4 })).toBe(0)
  expect(copiedUpTo({ ...found, server: 0.9, phi: 4 }, { ...around, pLinkGood: 0.4 })).toBe(1)
  expect(copiedUpTo({ ...found, expectedRemainingMs: 2_000 }, around)).toBe(0)
})

test('without bounds a copy is worth more the surer the blame, and nothing where the mirror is no faster', () => {
  const base = {
    ...{ server: 0.5, straggle: 0, expectedRemainingMs: 10_000 },
    ...{ remainingBytes: 1e6, linkBytesPerSecond: 1e6, inFlight: 2 },
  }
  const gain = expectedGain(base)
  expect(gain).toBeGreaterThan(1)
  expect(expectedGain({ ...base, straggle: 0.5 })).toBeGreaterThan(gain)
  expect(expectedGain({ ...base, expectedRemainingMs: 1_000 })).toBe(0)
})
