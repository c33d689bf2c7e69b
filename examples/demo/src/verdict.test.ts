import type { LoggedEvent, UploadEvent } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import { tellStory } from './story.js'
import { judge, type Measured } from './verdict.js'

const START = 1_700_000_000_000
const of = (session: string, server: number) => ({ session, partition: 'p1', store: `store${server}`, server })
const at = (elapsedMs: number, event: UploadEvent): LoggedEvent => ({
  ...event,
  ...{ upload: 'u', n: elapsedMs, at: START + elapsedMs, elapsedMs },
})
const begin = (session: string, server: number, kind: 'first' | 'copy', end: number): UploadEvent => ({
  ...of(session, server),
  ...{
    type: 'session',
    kind,
    start: 0,
    end,
    reason: 'initial',
    windowMs: 1000,
    goodputBytesPerSecond: null,
    plannedMs: null,
  },
})
const copy: UploadEvent = {
  ...of('b', 2),
  ...{
    type: 'copy',
    of: 'a',
    from: 1,
    range: { start: 0, end: 512 },
    reason: 'silent',
    risk: 0.7,
    gapMs: 1900,
    gain: { pServer: 0.7, savedMs: 3_000, costMs: 1_000, worth: 0.87 },
    known: {
      ...{ link: 0, server: 0.7, connection: 0, straggle: 0, late: 0, phi: 3, expectedMs: 4_000 },
      ...{ alternatives: [], because: [], blame: [], usualLogOdds: -3 },
      split: { link: 0, server: 0.7, connection: 0, straggle: 0, open: 0 },
    },
  },
}

/** A copy of session a begins at 3 s, 2 s after its last acknowledgement, and completes first. */
const EVENTS: readonly LoggedEvent[] = [
  at(0, { type: 'started', group: 'g', sizeBytes: 512, resumed: false }),
  at(100, begin('a', 1, 'first', 512)),
  at(1000, { ...of('a', 1), type: 'acked', offset: 100 }),
  at(3000, begin('b', 2, 'copy', 512)),
  at(3000, copy),
  at(4000, { ...of('b', 2), type: 'acked', offset: 512 }),
  at(4010, { ...of('a', 1), type: 'superseded', via: 'client', by: null }),
  at(4010, { ...of('b', 2), type: 'completed', start: 0, end: 512, kind: 'copy' }),
  at(4200, {
    type: 'committed',
    url: 'http://x/files/f',
    waitMs: 150,
    pullWaitMs: 0,
    pulledAtCommit: 0,
    pulledEarly: 512,
  }),
]

const MEASURED: Measured = {
  ...{
    scenario: 'degrade',
    seed: 7,
    servers: 3,
    sizeBytes: 512,
    sourceSha256: 'aa',
    storedSha256: 'aa',
    oracleMs: 3000,
  },
  ...{ bodyBytes: 700, requests: { POST: 4, OPTIONS: 3 }, leftBehind: [], problems: [] },
  stoppedSessions: new Set(['a']),
}

const failed = (measured: Measured, events = EVENTS) =>
  judge(tellStory(events), measured)
    .checks.filter((check) => !check.ok)
    .map((check) => check.name)

describe('the verdict', () => {
  it('passes a run that left its file and nothing else', () => {
    const verdict = judge(tellStory(EVENTS), MEASURED)
    expect(verdict).toMatchObject({
      ...{
        ok: true,
        bytes: 512,
        elapsedMs: 4200,
        oracleMs: 3000,
        partitions: 1,
        sizes: [512],
        splits: 0,
        takeovers: 0,
      },
      ...{ superseded: 1, bytesTwice: 188, requests: 7, leftBehind: 0, scenario: 'degrade', seed: 7, commitMs: 200 },
    })
  })

  it('begins with the promised keys, in their order', () => {
    expect(Object.keys(judge(tellStory(EVENTS), MEASURED)).slice(0, 16)).toEqual(
      'ok sha256 bytes elapsedMs oracleMs partitions sizes splits takeovers copies superseded bytesTwice requests leftBehind scenario seed'.split(
        ' ',
      ),
    )
  })

  it('says of a copy who won, that it came before the failure, and how long before a 5 s timer', () => {
    const [first] = judge(tellStory(EVENTS), MEASURED).copies
    expect(first).toMatchObject({ at: 3000, beforeFailure: true, winner: 'copy', leadMs: 3000, loserSession: 'a' })
  })

  it('sees a copy that began after its first session had failed', () => {
    const late = [...EVENTS, at(2900, { ...of('a', 1), type: 'failed', cause: 'cut' })].sort((a, b) => a.at - b.at)
    expect(tellStory(late).copies[0]?.beforeFailure).toBe(false)
  })

  it('fails on another digest, on anything left behind, on a page error, and without a commit', () => {
    expect(failed({ ...MEASURED, storedSha256: 'bb' })).toEqual(['stored file is the source'])
    expect(failed({ ...MEASURED, leftBehind: ['mirror 1: group x open'] })).toEqual(['nothing left behind'])
    expect(failed({ ...MEASURED, problems: ['page: oops'] })).toEqual(['page and script ran'])
    expect(failed(MEASURED, EVENTS.slice(0, -1))).toEqual(['upload finished'])
  })

  it('allows no byte twice in clean and no copy in lastmile', () => {
    expect(failed({ ...MEASURED, scenario: 'clean' })).toEqual(['no byte sent twice'])
    expect(failed({ ...MEASURED, scenario: 'clean', bodyBytes: 512 })).toEqual([])
    expect(failed({ ...MEASURED, scenario: 'lastmile' })).toEqual(['no copy'])
  })

  it('judges an upload that never began', () => {
    expect(judge(tellStory([]), { ...MEASURED, storedSha256: null })).toMatchObject({
      ok: false,
      elapsedMs: 0,
      sizes: [],
    })
  })
})
