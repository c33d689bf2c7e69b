import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fleet } from './fleet.js'
import { startingPoint } from './priors.js'
import { chooseProbes } from './probe-choice.js'

const OPTIONS = { probePhi: 1, probeRateRatio: 0.5 }
const STORES = ['a', 'b', 'c', 'd']

/** A session at each of the first stores, whoever is named having just been heard. */
function fleet(inUse: number, heard: readonly string[], nowMs: number): Fleet {
  const made = new Fleet(startingPoint(undefined).stores)
  for (const store of STORES) made.store(store, 0)
  for (const store of STORES.slice(0, inUse)) made.begin({ nowMs: 0, session: store, store, rangeBytes: 1e6 })
  for (const store of heard) made.store(store, 0).heard(nowMs, 'inSession')
  return made
}
const silentMs = fc.integer({ min: 0, max: 20_000 })
const heard = fc.subarray(STORES)

test('nobody is asked before a silence is worth it, nor without a session', () => {
  fc.assert(
    fc.property(heard, silentMs, (who, nowMs) => {
      expect(chooseProbes(fleet(0, who, nowMs), nowMs, OPTIONS)).toEqual([])
      expect(chooseProbes(fleet(3, who, 200), 200, OPTIONS)).toEqual([])
    }),
  )
})

test('a suspect with fewer than two other stores heard from is asked, and whoever was not heard with it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), heard, (inUse, who) => {
      const nowMs = 10_000
      const asked = chooseProbes(fleet(inUse, who, nowMs), nowMs, OPTIONS)
      const suspects = STORES.slice(0, inUse)
      const unclear = suspects.filter((store) => who.filter((other) => other !== store).length < 2)
      const expected = unclear.length === 0 ? [] : STORES.filter((s) => unclear.includes(s) || !who.includes(s))
      expect(asked).toEqual(expected)
    }),
  )
})

test('asking is remembered: not again at once, and less and less often while questions are lost', () => {
  const one = fleet(2, [], 10_000)
  expect(chooseProbes(one, 10_000, OPTIONS)).toEqual(STORES)
  expect(chooseProbes(one, 10_100, OPTIONS)).toEqual([])
  const askedAt: number[] = []
  for (let nowMs = 10_250; nowMs < 120_000; nowMs += 250) {
    const asked = chooseProbes(one, nowMs, OPTIONS)
    if (!asked.includes('a')) continue
    askedAt.push(nowMs)
    one.probeLost(nowMs + 100, one.store('a', nowMs))
  }
  const pauses = askedAt.slice(1).map((atMs, n) => atMs - (askedAt[n] ?? 0))
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b))
  expect(pauses.at(-1)).toBe(8_000)
})
