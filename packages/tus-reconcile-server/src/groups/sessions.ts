import type { PartitionHeader } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { Group } from './group.js'
import { Refusal } from './refusal.js'
import { refuseEnded } from './refuse-ended.js'
import { RunningWrite, Session, type SessionEnd } from './session.js'
import { endSession, sweep } from './verification.js'
import { declareSize } from './writing.js'

/** Sessions that are open at once in one group, and all that a group remembers (guess; bounds memory). */
const MAX_LIVE_SESSIONS = 1024
const MAX_SESSIONS = 16_384

/** Creates the session that the client named, or finds it: a repeat of a creation whose answer was lost. */
export async function openSession(
  group: Group,
  header: PartitionHeader,
  length: number | undefined,
): Promise<{ readonly session: Session; readonly created: boolean }> {
  // at once: the commit has the queue until it is done
  if (!group.sessions.has(header.session)) refuseCommitting(group)
  return group.queue.run(async () => {
    refuseEnded(group)
    await agreeOnSize(group, header.size)
    refuseUnseen(group, header.session)
    const known = group.sessions.get(header.session)
    if (known) {
      if (known.start !== header.start && !known.ended) {
        throw new Refusal('contradiction', `this session starts at ${known.start}, not at ${header.start}`)
      }
      return { session: known, created: false }
    }
    refuseCommitting(group)
    refuseTooMany(group)
    const session = new Session({ ...header, id: header.session, end: endOf(group, header, length) })
    group.addSession(session)
    group.touchedAt = group.ports.now()
    group.notify({ kind: 'sessionOpened', group, session })
    // a late copy of what is verified already ends before its body is read
    await sweep(group)
    return { session, created: true }
  })
}

/** The end that the header or `Upload-Length` declares, checked against the file. */
function endOf(group: Group, header: PartitionHeader, length: number | undefined): number | null {
  const end = length === undefined ? header.end : header.start + length
  const most = group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER
  if (length !== undefined && header.end !== undefined && header.end !== end) {
    throw new Refusal('contradiction', `Upload-Length ${length} from ${header.start} on does not end at ${header.end}`)
  }
  if (header.start > most || (end ?? 0) > most) {
    throw tooLarge(`the range ends beyond the file's ${most} bytes`, most)
  }
  refuseOffGrid(group, end)
  return end ?? null
}

/** In the queue. A deferred length that is declared now; the same again is no error. */
function declareEnd(group: Group, session: Session, length: number): void {
  const end = session.start + length
  const most = group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER
  if (session.end !== null && session.end !== end) {
    throw new Refusal('contradiction', `this session ends at ${session.end}, not at ${end}`)
  }
  if (length < session.admitted) throw new Refusal('contradiction', `${session.admitted} bytes have arrived already`)
  if (end > most) throw tooLarge(`the range ends beyond the file's ${most} bytes`, most)
  refuseOffGrid(group, end)
  session.end = end
}

function refuseOffGrid(group: Group, end: number | undefined): void {
  if (end === undefined || end % BLOCK_SIZE === 0 || group.size === null || end === group.size) return
  throw new Refusal(
    'bad-request',
    `a partition ends on a multiple of ${BLOCK_SIZE} or at the file's end, not at ${end}`,
  )
}

function tooLarge(message: string, mostBytes: number): Refusal {
  return new Refusal('too-large', message, { headers: { 'Upload-Limit': `max-size=${mostBytes}` } })
}

function refuseCommitting(group: Group): void {
  if (group.state !== 'committing') return
  throw new Refusal('committing', 'the file is being committed', { headers: { 'Retry-After': '1' } })
}

/** In the queue. The first size that is named binds all sessions and the commit. */
export async function agreeOnSize(group: Group, size: number | undefined): Promise<void> {
  if (size === undefined || size === group.size) return
  if (group.size !== null) throw new Refusal('contradiction', `this file has ${group.size} bytes, not ${size}`)
  if (group.maxSize !== null && size > group.maxSize) {
    throw tooLarge(`a file has at most ${group.maxSize} bytes here`, group.maxSize)
  }
  const beyond = [...group.sessions.values()].find(
    (session) => !session.ended && Math.max(session.end ?? 0, session.start + session.admitted) > size,
  )
  if (beyond) throw new Refusal('contradiction', `a session of this file reaches beyond ${size} bytes`)
  await declareSize(group, size)
}

/** A body may start: the offset is right, nobody else is writing this session, the attempt is not an old one. */
export async function beginWrite(
  group: Group,
  session: Session,
  request: {
    readonly attempt: number | undefined
    readonly offset: number
    /** The session's whole length, when this request declares it. */
    readonly length?: number | undefined
  },
): Promise<RunningWrite> {
  refuseCommitting(group)
  return takeTurn(group, session, {
    attempt: request.attempt,
    begin: () => {
      refuseEndedSession(group, session)
      refuseCommitting(group)
      if (request.offset !== session.offset) {
        throw new Refusal('bad-offset', `this session stands at ${session.offset}, not at ${request.offset}`)
      }
      if (request.length !== undefined) declareEnd(group, session, request.length)
      const running = new RunningWrite()
      session.running = running
      return running
    },
  })
}

/** The body has ended, for whatever reason: the next may start. */
export function endWrite(group: Group, session: Session, running: RunningWrite): void {
  if (session.running === running) session.running = undefined
  running.finish()
  if (!group.isReceiving) void group.idle().catch(() => {})
}

/**
 * Runs `begin` in the queue when no body of the session is on its way in. An older attempt is refused, the same attempt
 * has to wait, a newer one (or a request that names none, as a plain tus client's) ends the running write first.
 */
export async function takeTurn<T>(
  group: Group,
  session: Session,
  turn: { readonly attempt: number | undefined; readonly begin: () => T },
): Promise<T> {
  const { attempt } = turn
  for (let ended = false; ; ended = true) {
    const step = await group.queue.run(() => {
      if (attempt !== undefined && attempt < session.attempt) {
        throw new Refusal('lower-attempt', `attempt ${attempt} is over: ${session.attempt} was seen`)
      }
      const running = session.running
      if (!running) {
        session.attempt = attempt ?? session.attempt
        return { value: turn.begin() }
      }
      if (attempt === session.attempt && !(ended && running.stopped)) {
        throw new Refusal('still-writing', 'this attempt is still writing', { headers: { 'Retry-After': '1' } })
      }
      session.attempt = attempt ?? session.attempt
      running.stop('replaced')
      return { wait: running.finished }
    })
    if ('value' in step) return step.value
    await step.wait
  }
}

/** Lowers planned ends, never below what was admitted. What is redundant by now ends. */
export function planEnds(group: Group, ends: readonly { session: Session; end: number }[]): Promise<void> {
  return group.queue.run(async () => {
    for (const { session, end } of ends) lowerEnd(group, session, end)
    await sweep(group)
  })
}

function lowerEnd(group: Group, session: Session, end: number): void {
  const least = Math.max(end, session.start + session.admitted)
  const rounded = Math.min(Math.ceil(least / BLOCK_SIZE) * BLOCK_SIZE, group.knownSize)
  if (session.ended || (session.end !== null && session.end <= rounded)) return
  session.end = rounded
  // a body that stands at its new end is answered at once
  session.running?.onChange()
}

/** Ends a session. One that was never seen leaves a tombstone: its creation may still be on its way. */
export function dropSession(group: Group, id: string, how: 'superseded' | 'terminated'): Promise<void> {
  return group.queue.run(async () => {
    const known = group.sessions.get(id)
    if (known) return endSession(group, known, how)
    // what an ended group remembers is never given back
    refuseEnded(group)
    group.unseen.add(id, how)
  })
}

/** What may be acknowledged: the offset as it is now, once it is recorded. */
export async function acknowledgedOffset(group: Group, session: Session): Promise<number> {
  const offset = session.offset
  if (session.acked >= offset) return offset
  await group.save()
  session.acked = Math.max(session.acked, offset)
  return offset
}

export function refuseEndedSession(group: Group, session: Session): void {
  refuseEnded(group)
  if (session.ended) throw sessionEnded(session.ended)
}

/** @throws Refusal for a session that was dropped before it was seen */
export function refuseUnseen(group: Group, id: string): void {
  const ended = group.unseen.get(id)
  if (ended) throw sessionEnded(ended)
}

function sessionEnded(how: SessionEnd): Refusal {
  return new Refusal('session-ended', `this session is ${how}`, { headers: { 'Reconcile-State': how } })
}

function refuseTooMany(group: Group): void {
  if (group.statuses.inProgress < MAX_LIVE_SESSIONS && group.sessions.size < MAX_SESSIONS) return
  throw new Refusal('too-many', 'this upload has too many sessions', { headers: { 'Retry-After': '5' } })
}
