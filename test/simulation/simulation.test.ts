import { expect, test } from 'vitest'
import { FAULT_KINDS } from './faults.js'
import { runSeed } from './run.js'
import { planScenario } from './scenario.js'

test('the same seed is the same upload, event for event', async () => {
  for (const seed of [1, 7]) {
    const [first, second] = [await runSeed(seed), await runSeed(seed)]
    expect(second.fingerprint).toBe(first.fingerprint)
    expect(second.coverage.entries()).toEqual(first.coverage.entries())
  }
  expect((await runSeed(1)).fingerprint).not.toBe((await runSeed(7)).fingerprint)
})

test('among a few hundred seeds every kind of fault is planned', () => {
  const kinds = new Set(
    Array.from({ length: 600 }, (_, seed) => planScenario(seed).faults.map(({ kind }) => kind)).flat(),
  )
  expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort())
})

/** What each of these once broke. */
const MENDED: readonly (readonly [number, string])[] = [
  [45, 'a machine that slept while it asked its primary for the first time took it for unreachable'],
  [74, 'copies went to a store beyond the sessions that it may have'],
  [86, 'news of a bad block that was being sent anew made a range that ends within a block'],
  [301, 'an empty file was created once, whether its server heard of it or not'],
  [66, 'a probe of a dead address went on when another one of its store had answered'],
]

test.each(MENDED)('seed %i holds: %s', async (seed) => {
  expect((await runSeed(seed)).failures).toEqual([])
})
