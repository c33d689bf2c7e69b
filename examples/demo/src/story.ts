import type { LoggedEvent } from 'uppy-adaptive/upload'

type Of<Type extends LoggedEvent['type']> = Extract<LoggedEvent, { type: Type }>

export interface SizeEntry {
  readonly atMs: number
  readonly server: number
  readonly bytes: number
  readonly reason: string
}

export interface CopyEntry {
  /** ms since the upload's start. */
  readonly at: number
  readonly reason: string
  readonly risk: number
  /** Begun before its first session had failed. */
  readonly beforeFailure: boolean
  /** Who completed the bytes. */
  readonly winner: 'copy' | 'first' | 'nobody'
  /** Of a timer that fires after 5 s without progress, ms: how much later it would have acted. */
  readonly leadMs: number
  readonly from: number
  readonly to: number
  readonly bytes: number
  readonly winnerSession: string | null
  readonly loserSession: string | null
}

export interface TakeOverEntry {
  readonly at: number
  readonly server: number
  readonly reason: string
  readonly risk: number
  readonly leadMs: number
}

/** What the engine did, out of its events. Times in ms since the upload's start. */
export interface Story {
  readonly startedAt: number
  readonly endedAtMs: number
  readonly committed: Of<'committed'> | undefined
  readonly sizeLog: readonly SizeEntry[]
  readonly splits: number
  readonly takeOvers: readonly TakeOverEntry[]
  readonly copies: readonly CopyEntry[]
  readonly superseded: readonly string[]
  /** From the last acknowledged byte to the commit; null without one. */
  readonly commitMs: number | null
  readonly error: string | undefined
}

/** The timer that everybody else uses. */
const NO_PROGRESS_MS = 5_000

export function tellStory(events: readonly LoggedEvent[]): Story {
  const first = events[0]
  const committed = events.find((event) => event.type === 'committed')
  const lastAck = events.findLast((event) => event.type === 'acked' && event.at <= (committed?.at ?? Infinity))
  const failure = events.findLast((event) => event.type === 'error')
  return {
    startedAt: first ? first.at - first.elapsedMs : 0,
    endedAtMs: committed?.elapsedMs ?? events.at(-1)?.elapsedMs ?? 0,
    committed,
    sizeLog: events.flatMap((event) => (isOwnSession(event) ? [sizeEntry(event)] : [])),
    splits: events.filter((event) => event.type === 'split').length,
    takeOvers: events.flatMap((event) => (event.type === 'takeOver' ? [takeOverEntry(event, events)] : [])),
    copies: events.flatMap((event) => (event.type === 'copy' ? [copyEntry(event, events)] : [])),
    superseded: events.flatMap((event) => (event.type === 'superseded' ? [event.session] : [])),
    commitMs: committed && lastAck ? committed.elapsedMs - lastAck.elapsedMs : null,
    error: failure ? `${failure.code}: ${failure.message}` : undefined,
  }
}

function isOwnSession(event: LoggedEvent): event is Of<'session'> {
  return event.type === 'session' && event.kind !== 'copy'
}

function sizeEntry({ elapsedMs, server, start, end, reason }: Of<'session'>): SizeEntry {
  return { atMs: elapsedMs, server, bytes: end - start, reason }
}

function takeOverEntry(event: Of<'takeOver'>, events: readonly LoggedEvent[]): TakeOverEntry {
  const { elapsedMs: at, server, reason, risk } = event
  return { at, server, reason, risk, leadMs: leadOver(event.session, at, events) }
}

function copyEntry(event: Of<'copy'>, events: readonly LoggedEvent[]): CopyEntry {
  const failedAt = events.find((other) => other.type === 'failed' && other.session === event.of)?.elapsedMs ?? Infinity
  const completed = (session: string) =>
    events.find((other) => other.type === 'completed' && other.session === session)?.elapsedMs ?? Infinity
  const [byCopy, byFirst] = [completed(event.session), completed(event.of)]
  const winner = byCopy === Infinity && byFirst === Infinity ? 'nobody' : byCopy <= byFirst ? 'copy' : 'first'
  const sessions = { copy: [event.session, event.of], first: [event.of, event.session], nobody: [null, null] }[winner]
  return {
    at: event.elapsedMs,
    reason: event.reason,
    risk: event.risk,
    beforeFailure: event.elapsedMs <= failedAt,
    winner,
    leadMs: leadOver(event.of, event.elapsedMs, events),
    from: event.from,
    to: event.server,
    bytes: event.range.end - event.range.start,
    winnerSession: sessions[0] ?? null,
    loserSession: sessions[1] ?? null,
  }
}

/** How long after `at` a timer would have fired that waits 5 s for any progress of this session. */
function leadOver(session: string, at: number, events: readonly LoggedEvent[]): number {
  const alive = events.findLast(
    (event) =>
      (event.type === 'acked' || event.type === 'session') && event.session === session && event.elapsedMs <= at,
  )
  return (alive?.elapsedMs ?? 0) + NO_PROGRESS_MS - at
}
