import type { CommitAnswer } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { strictLog } from '../../testing/strict-log.js'
import { CommitSteps } from './commit-steps.js'

const pulling = (missingBytes: number): CommitAnswer => ({ state: 'pulling', missingBytes })
const COMMITTED: CommitAnswer = { state: 'committed', url: 'http://a.test/f', pulledAtCommit: 0, pulledEarly: 0 }
const range = { start: 0, end: 40 }

/** `state missingBytes` of each event, and its reason. */
function said(tell: (steps: CommitSteps) => void): (readonly [string, string])[] {
  const { log, events } = strictLog()
  tell(new CommitSteps(log))
  return events.flatMap((event) =>
    event.type === 'commitAnswer' ? [[`${event.state} ${event.missingBytes}`, event.reason] as const] : [],
  )
}

test('a home that pulls says so once, however often it is asked and however much is left', () => {
  const events = said((steps) => {
    for (const bytes of [90, 60, 30]) steps.note(pulling(bytes))
  })
  expect(events).toEqual([['pulling 90', 'it pulls blocks still']])
})

test('each change is told with its bytes: what it lacks, what is bad, no answer at all, and what was said before', () => {
  const events = said((steps) => {
    steps.note({ state: 'incomplete', missing: [range], bad: [] })
    steps.note({ state: 'incomplete', missing: [range], bad: [{ start: 0, end: 10 }] })
    steps.noteFailure(new Error('the connection broke'))
    steps.noteFailure(new Error('the connection broke'))
    steps.note(pulling(7))
  })
  expect(events).toEqual([
    ['incomplete 40', 'it lacks blocks'],
    ['incomplete 40', '10 bytes are not what was claimed'],
    ['none null', 'the connection broke'],
    ['pulling 7', 'it pulls blocks still'],
  ])
})

test('the file itself is no step on the way to it', () => {
  expect(said((steps) => steps.note(COMMITTED))).toEqual([])
})
