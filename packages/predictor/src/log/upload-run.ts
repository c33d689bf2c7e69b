import type { EventOf, LogEvent, OfSession, SessionKind, SessionSample } from './log-event.js'

export type Ending = 'completed' | 'failed' | 'superseded' | 'takenOver' | 'cancelled' | 'unknown'

/** One session as its log tells it. Times are its upload's `elapsedMs`. */
export interface SessionRun extends OfSession {
  readonly kind: SessionKind
  readonly start: number
  /** As it was planned; splits lower it. */
  readonly plannedEnd: number
  end: number
  readonly startedMs: number
  readonly reason: string
  /** Its server's rate was known when it started: before, its forecast is a constant. */
  readonly hasForecast: boolean
  readonly acks: { readonly elapsedMs: number; readonly offset: number }[]
  readonly samples: (SessionSample & { readonly elapsedMs: number })[]
  ending: Ending
  /** When it ended; with `unknown`, when it was heard of last. */
  endedMs: number
  cause: string | undefined
}

export type Decision = EventOf<'copy' | 'split' | 'takeOver'>

/** The session that something was decided about. */
export function victimOf(decision: Decision): string {
  return decision.type === 'copy' ? decision.of : decision.session
}

/** One run of one upload: what is resumed later is another run of the same group. */
export interface UploadRun {
  /** The group's id, or `?` where its `started` line is missing. */
  id: string
  readonly log: string
  sizeBytes: number | undefined
  readonly sessions: Map<string, SessionRun>
  readonly decisions: Decision[]
  /** Where a session in trouble was left as it was, and why. */
  readonly withheld: EventOf<'withheld'>[]
  /** Each store's server: 0 is the primary. */
  readonly servers: Map<string, number>
  /** P(link good) as it was thought, with its time. */
  readonly link: { readonly elapsedMs: number; readonly pGood: number }[]
  /** While nothing says anything: paused by the user, or asleep. */
  readonly pauses: { readonly fromMs: number; toMs: number }[]
  readonly scripts: EventOf<'script'>[]
  /** Wall clock less elapsed time. */
  startedAt: number | undefined
  lastMs: number
  end: 'committed' | 'cancelled' | 'error' | undefined
  /** Events that stood after later ones, and were put back in their place. */
  outOfOrder: number
}

/** Sorts the events of one log by upload and session. Order, gaps and repeats of lines do no harm. */
export function collectRuns(log: string, events: readonly LogEvent[]): UploadRun[] {
  const runs: UploadRun[] = []
  for (const part of separateRuns(events)) {
    const run = emptyRun(log)
    const place = part.every(({ type, n }) => type === 'script' || n !== undefined) ? byNumber : byTime
    let latest = 0
    for (const event of part) {
      if (event.type !== 'script' && place(event) < latest) run.outOfOrder += 1
      latest = Math.max(latest, place(event))
    }
    for (const event of part.toSorted((a, b) => place(a) - place(b))) take(run, event)
    if (run.sessions.size > 0) runs.push(finish(run))
  }
  return runs
}

/**
 * What the servers say of sessions whose own log stops before they end. `at` of two machines: good to what their clocks
 * differ by, so no more than the ending is taken from it where that would turn time back.
 */
export function settleByServers(runs: readonly UploadRun[], events: readonly LogEvent[]): void {
  for (const event of events) {
    if (event.type !== 'atServer' || event.what === 'opened' || event.what === 'expired') continue
    for (const run of runs) {
      const session = run.sessions.get(event.session)
      if (session?.ending !== 'unknown') continue
      session.ending = event.what === 'terminated' ? 'cancelled' : event.what
      session.endedMs = Math.max(session.endedMs, event.at - (run.startedAt ?? event.at))
      if (event.what === 'completed') session.acks.push({ elapsedMs: session.endedMs, offset: session.end })
    }
  }
}

const byNumber = ({ n = 0 }: LogEvent): number => n
const byTime = ({ elapsedMs }: LogEvent): number => elapsedMs

/** Uploads may be mixed in one log, where its events name theirs. Scripts belong to where they stand. */
function separateRuns(events: readonly LogEvent[]): LogEvent[][] {
  const uploads = new Map<string | undefined, LogEvent[]>()
  let latest = events.find(({ upload }) => upload !== undefined)?.upload
  for (const event of events) {
    if (event.type !== 'script') latest = event.upload
    const known = uploads.get(latest)
    if (known) known.push(event)
    else uploads.set(latest, [event])
  }
  return [...uploads.values()].flatMap(separateStarts)
}

/** Several runs may follow each other; `server` and `started` begin one. */
function separateStarts(events: readonly LogEvent[]): LogEvent[][] {
  const parts: LogEvent[][] = [[]]
  let hasStarted = false
  let hasEnded = false
  for (const event of events) {
    if (event.type === 'atServer') continue
    const begins =
      (event.type === 'started' && hasStarted) ||
      (hasEnded && (event.type === 'server' || event.type === 'session' || event.type === 'started'))
    if (begins) {
      parts.push([])
      hasEnded = false
      hasStarted = false
    }
    hasStarted ||= event.type === 'started'
    hasEnded ||= event.type === 'committed' || event.type === 'cancelled' || event.type === 'error'
    parts.at(-1)?.push(event)
  }
  return parts
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
    pauses: [],
    scripts: [],
    startedAt: undefined,
    lastMs: 0,
    end: undefined,
    outOfOrder: 0,
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
    case 'localPause':
      run.pauses.push({ fromMs: Math.max(0, event.elapsedMs - event.gapMs), toMs: event.elapsedMs })
      return
    case 'paused':
      run.pauses.push({ fromMs: event.elapsedMs, toMs: Number.MAX_SAFE_INTEGER })
      return
    case 'resumed': {
      const last = run.pauses.at(-1)
      if (last?.toMs === Number.MAX_SAFE_INTEGER) last.toMs = event.elapsedMs
      return
    }
    case 'committed':
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
  const hasForecast = event.goodputBytesPerSecond !== null
  const where = { session, partition, store, ...(server === undefined ? {} : { server }) }
  run.sessions.set(session, {
    ...where,
    ...{ kind, start, end, reason, hasForecast, plannedEnd: end, startedMs: elapsedMs, endedMs: elapsedMs },
    ...{ acks: [], samples: [], ending: 'unknown', cause: undefined },
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

function acknowledge(run: UploadRun, { session: id, offset, elapsedMs }: EventOf<'acked'>): void {
  const session = inFlight(run, id)
  if (!session || offset <= (session.acks.at(-1)?.offset ?? session.start) || offset > session.plannedEnd) return
  session.acks.push({ elapsedMs, offset })
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

function finish(run: UploadRun): UploadRun {
  for (const session of run.sessions.values()) {
    if (session.ending !== 'unknown') continue
    if (run.end === 'cancelled') session.ending = 'cancelled'
    const heardMs = [session.acks.at(-1), session.samples.at(-1)].map((last) => last?.elapsedMs ?? 0)
    session.endedMs = Math.max(session.startedMs, ...heardMs)
  }
  return run
}
