// The clients of the bench: in a process of their own, so that what they cost is not counted as the server's.
import { serveCalls } from './calls.js'
import { closeStreams, openStreams, timeEvents } from './load/event-streams.js'
import { holdPlain, holdSessions, letGo, waitForLock } from './load/held-bodies.js'
import { prepare, remove, uploadPartitioned, uploadPlain } from './load/uploads.js'

serveCalls({
  prepare,
  uploadPlain,
  uploadPartitioned,
  remove,
  holdPlain,
  holdSessions,
  letGo,
  waitForLock,
  openStreams,
  timeEvents,
  closeStreams,
})
