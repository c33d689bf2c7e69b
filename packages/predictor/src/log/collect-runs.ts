import { inTime } from './in-time.js'
import type { EventOf, LogEvent } from './log-event.js'
import { Pauses } from './pauses.js'
import type { ReadLog } from './read-log.js'
import { type Overlap, type RunEvents, separateRuns } from './separate-runs.js'
import type { Decision, Ending, SessionRun, UploadRun } from './upload-run.js'

/** What some logs tell of uploads, client's and servers'. An upload that stands in several counts once. */
export interface Gathered {
  readonly runs: UploadRun[]
  readonly overlaps: readonly Overlap[]
}

export function gather(logs: readonly ReadLog[]): Gathered {
  const named = logs.map(({ report: { name }, events }) => ({ name, events }))
  const separated = separateRuns(named)
  const runs = separated.runs.flatMap((run) => collectRun(run) ?? [])
  settleByServers(
    runs,
    logs.flatMap(({ events }) => events),
  )
  return { runs, overlaps: separated.overlaps }
}

/** All uploads of some logs. */
export function runsOf(logs: readonly ReadLog[]): UploadRun[] {
  return gather(logs).runs
}

/** One run as its events tell it; undefined where they tell of no session. */
function collectRun({ log, events, outOfOrder }: RunEvents): UploadRun | undefined {
  const { timed, misdated } = inTime(events)
  const run = { ...emptyRun(log), outOfOrder, misdated }
  for (const event of timed) take(run, event)
  return run.sessions.size > 0 ? finish(run) : undefined
}

/**
 * What the servers say of sessions whose own log stops before they end. `at` of two machines: good to what their clocks
 * differ by, so no more than the ending is taken from it where that would turn time back.
 */
function settleByServers(runs: readonly UploadRun[], events: readonly LogEvent[]): void {
  const unsettled = new Map<string, { session: SessionRun; startedAt: number | undefined }>()
  for (const { sessions, startedAt } of runs) {
    for (const session of sessions.values()) {
      if (session.ending === 'unknown') unsettled.set(session.session, { session, startedAt })
    }
  }
  for (const event of events) {
    if (event.type !== 'atServer' || event.what === 'opened' || event.what === 'expired') continue
    const { session, startedAt = event.at } = unsettled.get(event.session) ?? {}
    if (!session) continue
    unsettled.delete(event.session)
    session.ending = event.what === 'terminated' ? 'cancelled' : event.what
    session.endedMs = Math.max(session.endedMs, event.at - startedAt)
    if (event.what === 'completed') session.acks.push({ elapsedMs: session.endedMs, offset: session.end })
  }
}

function emptyRun(log: string): UploadRun {
  return {
    id: '?',
    log,
    sizeBytes: undefined,
    sessions: new Map(),
    decisions: [],
    withheld: [],
    servers: new Map(),
    link: [],
    pauses: new Pauses(),
    scripts: [],
    startedAt: undefined,
    lastMs: 0,
    end: undefined,
    outOfOrder: 0,
    misdated: 0,
    isPlain: false,
  }
}

function take(run: UploadRun, event: LogEvent): void {
  if (event.type === 'script') {
    run.scripts.push(event)
    return
  }
  run.lastMs = event.elapsedMs
  run.startedAt ??= event.at - event.elapsedMs
  switch (event.type) {
    case 'started':
      run.id = event.group
      run.sizeBytes = event.sizeBytes
      return
    case 'plain':
      run.isPlain = true
      run.id = event.upload ?? run.id
      run.sizeBytes = event.sizeBytes ?? undefined
      return
    case 'server':
      run.servers.set(event.store, event.server)
      return
    case 'session':
      return open(run, event)
    case 'sample':
      run.link.push({ elapsedMs: event.elapsedMs, pGood: event.link.pGood })
      return sample(run, event)
    case 'copy':
    case 'split':
    case 'takeOver':
      return decide(run, event)
    case 'withheld':
      run.withheld.push(event)
      return
    case 'acked':
      return acknowledge(run, event)
    case 'completed':
    case 'superseded':
    case 'failed':
      return close(run, event, event.type)
    case 'ended':
      return learn(run, event)
    case 'localPause':
      return run.pauses.add(Math.max(0, event.elapsedMs - event.gapMs), event.elapsedMs)
    case 'asleep':
    case 'paused':
      return run.pauses.began(event.elapsedMs)
    case 'awake':
    case 'resumed':
      return run.pauses.ended(event.elapsedMs)
    case 'committed':
    case 'uploaded':
    case 'cancelled':
    case 'error':
      run.end = event.type
      return
    default:
      return
  }
}

function open(run: UploadRun, event: EventOf<'session'>): void {
  if (event.server !== undefined) run.servers.set(event.store, event.server)
  if (run.sessions.has(event.session)) return
  const { session, partition, store, server, kind, start, end, reason, elapsedMs } = event
  const where = { session, partition, store, ...(server === undefined ? {} : { server }) }
  run.sessions.set(session, {
    ...where,
    ...{ kind, start, end, reason, plannedEnd: end, startedMs: elapsedMs, endedMs: elapsedMs },
    ...{ plannedMs: event.plannedMs ?? undefined, acks: [], samples: [] },
    ...{ ending: 'unknown', cause: undefined, learned: undefined, isLimitedByUs: false },
  })
}

/** Open still, or undefined: what comes after a session's end tells nothing. */
function inFlight(run: UploadRun, id: string): SessionRun | undefined {
  const session = run.sessions.get(id)
  return session?.ending === 'unknown' ? session : undefined
}

function sample(run: UploadRun, event: EventOf<'sample'>): void {
  for (const of of event.sessions) inFlight(run, of.session)?.samples.push({ ...of, elapsedMs: event.elapsedMs })
}

function acknowledge(run: UploadRun, event: EventOf<'acked'>): void {
  const { offset, elapsedMs, appLimited, estimated } = event
  const session = inFlight(run, event.session)
  if (!session || offset <= (session.acks.at(-1)?.offset ?? session.start) || offset > session.plannedEnd) return
  session.acks.push({ elapsedMs, offset })
  // of a plain server's session it says that buffers were filled, or that the answer came
  const isOurPace = appLimited === true && estimated !== true && !run.isPlain
  if (isOurPace) session.isLimitedByUs = true
}

function decide(run: UploadRun, event: Decision): void {
  run.decisions.push(event)
  if (event.type === 'takeOver') close(run, event, 'takenOver')
  const session = event.type === 'split' ? inFlight(run, event.session) : undefined
  if (event.type === 'split' && session && event.newEnd > session.start && event.newEnd < session.end) {
    session.end = event.newEnd
  }
}

function close(run: UploadRun, event: EventOf<'completed' | 'superseded' | 'failed' | 'takeOver'>, how: Ending): void {
  const session = inFlight(run, event.session)
  if (!session) return
  session.ending = how
  session.endedMs = event.elapsedMs
  session.cause = event.type === 'failed' ? event.cause : event.type === 'takeOver' ? event.reason : undefined
}

/** Stands behind the event that ended a session, and alone where it is a plain server's, or was stopped. */
function learn(run: UploadRun, { session: id, outcome, failure, elapsedMs }: EventOf<'ended'>): void {
  const session = run.sessions.get(id)
  if (!session || session.learned) return
  session.learned = { outcome, ...(failure === undefined ? {} : { failure }) }
  if (session.ending !== 'unknown') return
  session.ending = outcome
  session.endedMs = elapsedMs
  session.cause = failure
}

function finish(run: UploadRun): UploadRun {
  for (const session of run.sessions.values()) {
    if (session.ending !== 'unknown') continue
    if (run.end === 'cancelled') session.ending = 'cancelled'
    const heardMs = [session.acks.at(-1), session.samples.at(-1)].map((last) => last?.elapsedMs ?? 0)
    session.endedMs = Math.max(session.startedMs, ...heardMs)
  }
  return run
}
