import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EndedSession, OutcomeLedger } from './outcome-ledger.js'
import { SessionRecord } from './session-record.js'
import { StoreRecord } from './store-record.js'

type Ending = Partial<Omit<EndedSession, 'session'>> & { ackedBytes?: number }

/** A session of 1 MB planned to take a second that ends after two, and what its store has learned. */
function after({ ackedBytes = 1e6, ...ending }: Ending): StoreRecord {
  const store = new StoreRecord(0)
  const session = new SessionRecord({ nowMs: 0, storeKey: 'a', store, rangeBytes: 1e6, optimism: 0 })
  session.expectToTake(1_000)
  session.ackedBytes = ackedBytes
  const o = { nowMs: 2_000, outcome: 'failed', failure: 'connection', pLinkGood: 1, isBlamed: false } as const
  new OutcomeLedger().ended({ ...o, ...ending, session })
  return store
}
const failures = (ending: Ending): number => after(ending).failures.evidence.failures
const share = fc.double({ min: 0, max: 1, noNaN: true })
const known = (store: StoreRecord): string =>
  JSON.stringify([store.memory(), store.health.pDown(2_000), store.health.failedAgoMs(2_000)])
const nothing = known(new StoreRecord(0))

test('a connection or a timeout counts by how likely the link was good, a server error in full', () => {
  fc.assert(
    fc.property(share, fc.constantFrom('connection' as const, 'timeout' as const), (pLinkGood, failure) => {
      expect(failures({ failure, pLinkGood })).toBe(pLinkGood)
      expect(failures({ failure: 'serverError', pLinkGood })).toBe(1)
    }),
  )
})

test('what was taken over counts half where its server is blamed, and not at all where it is not', () => {
  fc.assert(
    fc.property(share, (pLinkGood) => {
      expect(failures({ outcome: 'takenOver', isBlamed: true, pLinkGood })).toBe(pLinkGood / 2)
      expect(failures({ outcome: 'takenOver', isBlamed: false, pLinkGood })).toBe(0)
    }),
  )
})

test('what its user cancelled, and a refusal for load or configuration, leave the store as it was', () => {
  for (const ending of [{ outcome: 'cancelled' }, { failure: 'load' }, { failure: 'configuration' }] as const) {
    expect(known(after(ending))).toBe(nothing)
  }
})

test('a completed one teaches its rate and its time against plan, one that others ended only that it took longer', () => {
  const completed = after({ outcome: 'completed' })
  expect(completed.partitions.recent).toEqual([5e5])
  expect(completed.completions.recent).toEqual([{ log: Math.log(2), censored: false }])
  expect(completed.failures.evidence.failures).toBe(0)
  const superseded = after({ outcome: 'superseded', ackedBytes: 3e5 })
  expect(superseded.completions.recent).toEqual([{ log: Math.log(2), censored: true }])
  expect(superseded.partitions.recent).toEqual([])
  expect(superseded.failures.evidence.failures).toBe(0)
})

test('a failure makes the store likelier down, a completion in time less, one in over twice its plan in between', () => {
  const down = (ending: Ending): number => after(ending).health.pDown(2_000)
  const inTime = down({ outcome: 'completed', nowMs: 1_900 })
  const late = down({ outcome: 'completed', nowMs: 2_100 })
  expect(inTime).toBeLessThan(late)
  expect(late).toBeLessThan(down({}))
  expect(after({}).health.failedAgoMs(5_000)).toBe(3_000)
})
