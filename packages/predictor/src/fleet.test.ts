import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fleet } from './fleet.js'
import { startingPoint } from './priors.js'

const STORES = ['a', 'b', 'c']

function fleetOf(...stores: string[]): Fleet {
  const fleet = new Fleet(startingPoint(undefined).stores)
  for (const store of stores) fleet.begin({ nowMs: 0, session: store, store, rangeBytes: 1e7 })
  return fleet
}
/** Acknowledgements each 100 ms until then, at these rates. */
function move(fleet: Fleet, untilMs: number, rates: Record<string, number>, fromMs = 0): void {
  for (let nowMs = fromMs + 100; nowMs <= untilMs; nowMs += 100) {
    for (const [key, rate] of Object.entries(rates)) {
      const session = fleet.sessions.get(key)
      if (session === undefined) continue
      const o = { nowMs, bytes: rate / 10, appLimited: false }
      fleet.signOfLife(nowMs, session.storeKey, session)
      session.acknowledged({ ...o, sessionsInFlight: fleet.sessions.size, linkSuspect: false })
      session.store.goodput.acknowledged(o)
      fleet.goodput.acknowledged(o)
    }
  }
}

test('the link’s suspicion is the least of all sessions’, and at most that of the silence since anybody spoke', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 20_000 }), (silentMs, spokeAgoMs) => {
      const fleet = fleetOf(...STORES)
      move(fleet, 5_000, { a: 6e5, b: 6e5, c: 6e5 })
      const nowMs = 5_000 + silentMs
      if (spokeAgoMs < silentMs) fleet.signOfLife(nowMs - spokeAgoMs, 'd')
      const each = [...fleet.sessions.values()].map((session) => session.phi(session.gapMs(nowMs)))
      expect(fleet.leastPhi(nowMs)).toBe(Math.min(...each))
      const since = [...fleet.sessions.values()].map((session) => session.phi(Math.min(silentMs, spokeAgoMs)))
      expect(fleet.commonPhi(nowMs)).toBeCloseTo(Math.min(...since), 9)
    }),
    { numRuns: 30 },
  )
})

test('peers are the moving sessions of other stores, and count by their median', () => {
  const fleet = fleetOf('a', 'b', 'c', 'd')
  const all = { a: 6e5, b: 6e5, c: 6e5, d: 6e5 }
  move(fleet, 5_000, all)
  move(fleet, 7_000, { ...all, b: 2e5, c: 3e5 }, 5_000)
  const a = fleet.sessions.get('a')
  if (a === undefined) throw new Error('no session')
  const ratio = (key: string): number => fleet.sessions.get(key)?.slowness(4)?.ratio ?? Number.NaN
  expect(fleet.peersRatio(a, 7_000, 1)).toBeCloseTo(
    [ratio('b'), ratio('c'), ratio('d')].sort((x, y) => x - y)[1] ?? 0,
    9,
  )
  fleet.remove(7_000, 'd')
  expect(fleet.peersRatio(a, 7_000, 1)).toBeCloseTo((ratio('b') + ratio('c')) / 2, 1)
  for (const key of ['b', 'c']) fleet.remove(7_000, key)
  expect(fleet.peersRatio(a, 7_000, 1)).toBeUndefined()
})

test('what queues at all stores is nobody’s, what queues at one above the others is its own', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 2, maxLength: 3 }), (queues) => {
      const fleet = fleetOf()
      for (const [n, queueMs] of queues.entries()) {
        const { requestRtt } = fleet.store(STORES[n] ?? '', 0)
        requestRtt.add({ nowMs: 0, roundTripMs: 40 })
        for (let k = 1; k < 8; k++) requestRtt.add({ nowMs: k, roundTripMs: 40 + queueMs })
      }
      const own = [...fleet.stores.values()].map((store) => store.requestRtt.queueingDelayMs(8))
      const least = Math.min(...own)
      for (const [n, store] of [...fleet.stores.values()].entries()) {
        expect(fleet.privateQueueingMs(store, 8)).toBeCloseTo((own[n] ?? 0) - least, 9)
      }
    }),
  )
})

test('a silence goes on over sessions that failed in it: who begins in the dark is excused by all of it', () => {
  const excusedAfter = (idleMs: number): boolean => {
    const fleet = fleetOf(...STORES)
    move(fleet, 5_000, { a: 6e5, b: 6e5, c: 6e5 })
    for (const key of STORES) fleet.remove(20_000, key)
    const nowMs = 20_000 + idleMs
    for (const store of STORES) fleet.begin({ nowMs, session: store, store, rangeBytes: 1e6 })
    fleet.signOfLife(nowMs + 1_000, 'b')
    return fleet.sessions.get('a')?.witness.isExcused(nowMs + 5_000) ?? false
  }
  expect(excusedAfter(1_000)).toBe(true)
  expect(excusedAfter(60_000)).toBe(false)
})

test('a lost question is held against its store only where another was answered promptly since', () => {
  const after = (answerMs: number): { excused: boolean } => {
    const fleet = fleetOf(...STORES)
    for (const store of STORES) fleet.store(store, 0).requestRtt.add({ nowMs: 0, roundTripMs: 50 })
    move(fleet, 5_000, { a: 6e5, b: 6e5, c: 6e5 })
    // dark for ten seconds, then b and c move again
    move(fleet, 15_500, { b: 6e5, c: 6e5 }, 15_000)
    for (const store of ['a', 'b']) fleet.store(store, 15_500).mayBeAsked(15_500)
    move(fleet, 15_500 + answerMs, { c: 6e5 }, 15_500)
    fleet.signOfLife(15_500 + answerMs, 'b')
    fleet.probeLost(17_000, fleet.store('a', 17_000))
    return { excused: fleet.sessions.get('a')?.witness.isExcused(17_100) ?? false }
  }
  expect(after(100)).toEqual({ excused: false })
  expect(after(1_200)).toEqual({ excused: true })
})

test('stores are bounded: the one silent for longest goes, never one in use', () => {
  const fleet = fleetOf('kept')
  for (let n = 0; n < 600; n++) fleet.store(`s${n}`, n)
  expect(fleet.stores.size).toBe(256)
  expect(fleet.stores.has('kept')).toBe(true)
  expect(fleet.stores.has('s599')).toBe(true)
  expect(fleet.stores.has('s0')).toBe(false)
})
