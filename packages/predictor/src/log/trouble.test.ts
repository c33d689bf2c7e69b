import { expect, test } from 'vitest'
import { BYTES, steps, upload, type WrittenSession } from '../testing/written-run.js'
import { fateOf } from './trouble.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** An assessment after 1 s and a megabyte, of a session of 5 MB that is planned to take 5 s. */
const END = 50 * BYTES
const soFar = steps(0, 1_000, 100)

function fate(written: WrittenSession, change: (run: UploadRun, session: SessionRun) => void = () => {}) {
  const run = upload({ end: END, ...written })
  const session = run.sessions.get('0')
  if (!session) throw new Error('no session')
  const { store, partition, start, end } = session
  change(run, session)
  const assessment = {
    ...{ risk: 0.5, link: 0, server: 0.5, straggle: 0, gapMs: 0, because: [] },
    ...{ expectedRateBytesPerSecond: 1e6, expectedRemainingMs: 4_000, horizonMs: 8_000, plannedMs: 5_000 },
  }
  const where = { session: '0', store, partition, start, end, elapsedMs: 1_000, acked: 10 * BYTES }
  return fateOf(run, session, { ...where, remainingBytes: end - 10 * BYTES, assessment })
}
const stopped = (toMs: number, ending: SessionRun['ending']): WrittenSession => ({
  ackedAtMs: soFar,
  ending,
  endedMs: toMs,
})

test.each([
  ['takes as long as planned', { ackedAtMs: steps(0, 5_000, 100) }, 'healthy'],
  ['takes just twice its plan', { ackedAtMs: steps(0, 10_000, 200) }, 'healthy'],
  ['takes longer than that', { ackedAtMs: steps(0, 10_500, 210) }, 'trouble'],
  [
    'is slow at first and makes up for it',
    { ackedAtMs: [...soFar, ...steps(6_000, 10_000, 100)], endedMs: 10_000 },
    'healthy',
  ],
  ['fails', stopped(1_500, 'failed'), 'trouble'],
  ['fails late', { ackedAtMs: steps(0, 4_000, 100), ending: 'failed', endedMs: 4_500 }, 'trouble'],
  ['is superseded while it could still be in time', stopped(1_500, 'superseded'), 'untold'],
  ['is superseded when the pace of its plan would not have done any more', stopped(6_100, 'superseded'), 'trouble'],
  ['is taken over in time', stopped(5_900, 'takenOver'), 'untold'],
  ['is taken over too late', stopped(6_100, 'takenOver'), 'trouble'],
  ['is superseded when it had sent all', { ackedAtMs: steps(0, 5_000, 100), ending: 'superseded' }, 'healthy'],
  ['is cancelled', stopped(2_000, 'cancelled'), 'untold'],
  ['is in flight when its log stops', stopped(5_000, 'unknown'), 'untold'],
  ['is in flight after twice its plan when its log stops', stopped(10_100, 'unknown'), 'trouble'],
] as const)('a session that %s is told as it came', (_, written, expected) => {
  expect(fate(written as WrittenSession)).toBe(expected)
})

test('pauses are no part of the time a session takes', () => {
  const late = { ackedAtMs: [...soFar, ...steps(8_000, 12_000, 100)], endedMs: 12_000 }
  expect(fate(late)).toBe('trouble')
  expect(fate(late, (run) => run.pauses.add(1_000, 8_000))).toBe('healthy')
})

test('what a session took because of our own side is no trouble, and what it did in time is told', () => {
  const limit = (_: UploadRun, session: SessionRun): void => {
    session.isLimitedByUs = true
  }
  expect(fate({ ackedAtMs: steps(0, 10_500, 210) }, limit)).toBe('untold')
  expect(fate({ ackedAtMs: steps(0, 5_000, 100) }, limit)).toBe('healthy')
})

test('a failure that the risk model does not count is none: then it was ended by others', () => {
  const learned = (outcome: 'failed' | 'cancelled', failure?: 'load' | 'serverError') => {
    return (_: UploadRun, session: SessionRun): void => {
      session.learned = { outcome, ...(failure && { failure }) }
    }
  }
  expect(fate(stopped(1_500, 'failed'), learned('failed', 'serverError'))).toBe('trouble')
  expect(fate(stopped(1_500, 'failed'), learned('failed', 'load'))).toBe('untold')
  expect(fate(stopped(1_500, 'failed'), learned('cancelled'))).toBe('untold')
  expect(fate(stopped(6_100, 'failed'), learned('cancelled'))).toBe('trouble')
})

test('what was split off would have come in time at the pace of the rest, or not, or nobody knows', () => {
  const shorten = (_: UploadRun, session: SessionRun): void => {
    session.end = 12 * BYTES
  }
  expect(fate({ ackedAtMs: [...soFar, 1_100, 1_200], endedMs: 1_200 }, shorten)).toBe('healthy')
  expect(fate({ ackedAtMs: [...soFar, 2_000, 3_000], endedMs: 3_000 }, shorten)).toBe('untold')
  expect(fate({ ackedAtMs: [...soFar, 4_000, 6_500], endedMs: 6_500 }, shorten)).toBe('trouble')
})

test('without a plan nothing is told', () => {
  const run = upload({ ackedAtMs: soFar })
  const [session] = run.sessions.values()
  if (!session) throw new Error('no session')
  const assessment = {
    ...{ risk: 0, link: 0, server: 0, straggle: 0, gapMs: 0, because: [] },
    ...{ expectedRateBytesPerSecond: 1, expectedRemainingMs: 1, horizonMs: 1 },
  }
  expect(fateOf(run, session, { ...session, elapsedMs: 0, acked: 0, assessment })).toBe('unplanned')
})
