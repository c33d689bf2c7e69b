import { addRanges, type ByteRange, EMPTY_RANGES, type RangeSet, subtractRanges } from 'tus-reconcile-protocol'
import type { LoggedEvent } from 'uppy-adaptive/upload'

export type SessionState = 'inFlight' | 'completed' | 'takenOver' | 'superseded' | 'failed'

/** One session as it is drawn. Offsets in bytes of the file, times in ms since the upload's start. */
export interface DrawnSession {
  readonly id: string
  readonly server: number
  readonly kind: 'first' | 'takeOver' | 'copy'
  readonly start: number
  readonly end: number
  readonly acked: number
  readonly state: SessionState
  readonly fromMs: number
  readonly untilMs: number | undefined
}

/** When a server was suspect. */
export interface Trouble {
  readonly server: number
  readonly fromMs: number
  readonly untilMs: number | undefined
}

/** Something that happened at one moment on a server's lane. */
export interface LaneMark {
  readonly server: number
  readonly atMs: number
  readonly kind: 'cut' | 'reconnect' | 'takeOver' | 'copy' | 'split'
}

/** A place in the file where a decision was made. */
export interface FileMark {
  readonly at: number
  readonly kind: 'split' | 'takeOver'
}

/** Everything the picture shows of one upload. A value: `addEvent` makes the next one. */
export interface FilePicture {
  readonly sizeBytes: number
  readonly sessions: ReadonlyMap<string, DrawnSession>
  readonly verified: RangeSet
  readonly troubles: readonly Trouble[]
  readonly laneMarks: readonly LaneMark[]
  readonly fileMarks: readonly FileMark[]
  readonly elapsedMs: number
  readonly isDone: boolean
}

export const EMPTY_PICTURE: FilePicture = {
  sizeBytes: 0,
  sessions: new Map(),
  verified: EMPTY_RANGES,
  troubles: [],
  laneMarks: [],
  fileMarks: [],
  elapsedMs: 0,
  isDone: false,
}

export function addEvent(picture: FilePicture, event: LoggedEvent): FilePicture {
  const next = { ...picture, elapsedMs: Math.max(picture.elapsedMs, event.elapsedMs) }
  switch (event.type) {
    case 'started':
      return { ...next, sizeBytes: event.sizeBytes }
    case 'session':
      return withSession(next, beginSession(event))
    case 'acked':
      return changed(next, event.session, { acked: event.offset })
    case 'verified':
      return { ...next, verified: addRanges(next.verified, ...event.ranges) }
    case 'bad':
    case 'resent':
      return { ...next, verified: subtractRanges(next.verified, event.ranges) }
    case 'server':
      return withServer(next, event)
    case 'committed':
    case 'cancelled':
    case 'error':
      return { ...next, isDone: true }
    default:
      return addDecision(next, event)
  }
}

function addDecision(picture: FilePicture, event: LoggedEvent): FilePicture {
  const atMs = event.elapsedMs
  switch (event.type) {
    case 'split': {
      const marked = withMarks(
        picture,
        { server: event.server, atMs, kind: 'split' },
        { at: event.newEnd, kind: 'split' },
      )
      return changed(marked, event.session, { end: event.newEnd })
    }
    case 'takeOver': {
      const mark: FileMark = { at: event.range.start, kind: 'takeOver' }
      return ended(withMarks(picture, { server: event.server, atMs, kind: 'takeOver' }, mark), event, 'takenOver')
    }
    case 'copy':
      return withMarks(picture, { server: event.from, atMs, kind: 'copy' })
    case 'cut':
    case 'reconnect':
      return withMarks(picture, { server: event.server, atMs, kind: event.type })
    case 'completed':
    case 'superseded':
    case 'failed':
      return ended(picture, event, event.type)
    default:
      return picture
  }
}

/** Whole blocks of the file that this session's bytes are drawn on: what it sent, and what it is to send. */
export function rangesOf(session: DrawnSession): { readonly acked: ByteRange; readonly planned: ByteRange } {
  const planned = session.state === 'inFlight' ? session.end : session.acked
  return {
    acked: { start: session.start, end: session.acked },
    planned: { start: session.acked, end: Math.max(planned, session.acked) },
  }
}

function beginSession(event: Extract<LoggedEvent, { type: 'session' }>): DrawnSession {
  const { session: id, server, kind, start, end, elapsedMs: fromMs } = event
  return { id, server, kind, start, end, acked: start, state: 'inFlight', fromMs, untilMs: undefined }
}

function withSession(picture: FilePicture, session: DrawnSession): FilePicture {
  return { ...picture, sessions: new Map(picture.sessions).set(session.id, session) }
}

function changed(picture: FilePicture, id: string, change: Partial<DrawnSession>): FilePicture {
  const session = picture.sessions.get(id)
  return session ? withSession(picture, { ...session, ...change }) : picture
}

function ended(picture: FilePicture, event: { session: string; elapsedMs: number }, state: SessionState): FilePicture {
  const session = picture.sessions.get(event.session)
  if (session?.state !== 'inFlight') return picture
  const acked = state === 'completed' ? session.end : session.acked
  return withSession(picture, { ...session, acked, state, untilMs: event.elapsedMs })
}

function withMarks(picture: FilePicture, lane: LaneMark, file?: FileMark): FilePicture {
  const fileMarks = file ? [...picture.fileMarks, file] : picture.fileMarks
  return { ...picture, laneMarks: [...picture.laneMarks, lane], fileMarks }
}

function withServer(picture: FilePicture, event: Extract<LoggedEvent, { type: 'server' }>): FilePicture {
  const { server, state, elapsedMs } = event
  const closed = picture.troubles.map((trouble) =>
    trouble.server === server && trouble.untilMs === undefined ? { ...trouble, untilMs: elapsedMs } : trouble,
  )
  if (state !== 'suspect') return { ...picture, troubles: closed }
  return { ...picture, troubles: [...closed, { server, fromMs: elapsedMs, untilMs: undefined }] }
}
