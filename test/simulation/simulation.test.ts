import { expect, test } from 'vitest'
import { Coverage } from './coverage.js'
import { EXPECTED, neverSeen } from './expected.js'
import { FAULT_KINDS } from './faults.js'
import { MENDED } from './mended.js'
import { runScenario, runSeed } from './run.js'
import { planScenario } from './scenario.js'

test('the same seed is the same upload, event for event', async () => {
  const fingerprints = new Set<string>()
  for (const seed of [1, 7]) {
    const [first, second] = [
      await runSeed(seed, { hasFingerprint: true }),
      await runSeed(seed, { hasFingerprint: true }),
    ]
    expect(second.fingerprint).toBe(first.fingerprint)
    expect(second.coverage.entries()).toEqual(first.coverage.entries())
    fingerprints.add(first.fingerprint ?? '')
  }
  expect(fingerprints.size).toBe(2)
})

test('among a few hundred seeds every kind of fault is planned', () => {
  const kinds = new Set(
    Array.from({ length: 600 }, (_, seed) => planScenario(seed).faults.map(({ kind }) => kind)).flat(),
  )
  expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort())
})

test('a full run names what has not happened once', () => {
  const coverage = new Coverage()
  for (const name of EXPECTED) coverage.count(name)
  expect(neverSeen(coverage, 2_000)).toEqual([])
  expect(neverSeen(new Coverage(), 2_000)).toEqual(EXPECTED)
  expect(neverSeen(new Coverage(), 1_999)).toEqual([])
})

test('a fault that lasts to the very end has ended when its user starts again', async () => {
  // times that are no whole milliseconds: the home has no room for as long as the run has faults
  const fault = { kind: 'homeFull', atMs: 10.6, forMs: 900.7, server: 0, route: 0, share: 0.5, count: 1 } as const
  const plan = { ...planScenario(2), sizeBytes: 1_000_000, firstBlock: 0, faults: [fault], healedMs: 911.3 }
  const { failures, coverage } = await runScenario(plan)
  expect(failures).toEqual([])
  expect(coverage.of('another start after the faults')).toBe(1)
})

test.each(MENDED)('it is mended that $what', async ({ scenario }) => {
  expect((await runScenario(scenario)).failures).toEqual([])
})
