import { expect, test } from 'vitest'
import { stoppedSessions } from './stopped-sessions.js'

test('a session was stopped by its own line, or by the end of its group', () => {
  const stopped = stoppedSessions([
    { msg: 'session opened', session: 'a' },
    { msg: 'session superseded', session: 'b' },
    { msg: 'session dropped', session: 'c' },
    { msg: 'session completed', session: 'd' },
    { msg: 'group ended', unfinished: ['e', 'f'] },
    { msg: 'group ended', unfinished: [] },
    { msg: 'request' },
  ])
  expect([...stopped]).toEqual(['b', 'c', 'e', 'f'])
})
