import type { LoggedEvent } from 'uppy-adaptive/upload'

export interface DecisionRow {
  readonly kind: string
  readonly tone: 'plain' | 'act' | 'warn' | 'bad' | 'good'
  /** The server it is about; undefined: none in particular. */
  readonly server: number | undefined
  readonly text: string
}

type Of<Type extends LoggedEvent['type']> = Extract<LoggedEvent, { type: Type }>

const SIZE_REASONS: Readonly<Record<string, string>> = {
  initial: 'first size',
  window: 'fits the time window',
  growth: 'growing, at most doubled',
  shrink: 'shrinking, at most halved',
  endgame: 'a fair share of the rest',
  priority: 'a share of what goes first',
}

/** What the servers are called, by their number or address. */
export interface ServerNames {
  readonly nameOf: (server: number | string) => string
}

/** An event as a row of the list; undefined for what is no decision. */
export function describeDecision(event: LoggedEvent, { nameOf }: ServerNames): DecisionRow | undefined {
  switch (event.type) {
    case 'session':
      // a copy has an event of its own
      return event.kind === 'copy' ? undefined : row('session', 'plain', event.server, tellSession(event))
    case 'split':
      return row(
        'split',
        'act',
        event.server,
        `gives away ${mib(event.oldEnd - event.newEnd)}: ${event.reason}${risk(event.risk)}`,
      )
    case 'takeOver':
      return row(
        'take-over',
        'warn',
        event.server,
        `loses ${mib(event.range.end - event.range.start)}: ${event.reason}${risk(event.risk)}`,
      )
    case 'copy':
      return row(
        'copy',
        'warn',
        event.server,
        `sends ${mib(event.range.end - event.range.start)} of ${nameOf(event.from)} again: ${event.reason}${risk(event.risk)}`,
      )
    default:
      return describeTurn(event, { nameOf })
  }
}

function describeTurn(event: LoggedEvent, names: ServerNames): DecisionRow | undefined {
  switch (event.type) {
    case 'superseded':
      return row(
        'superseded',
        'plain',
        event.server,
        `another session has its bytes (the ${event.via} says so): stopped`,
      )
    case 'reconnect':
      return row(
        'reconnect',
        'act',
        event.server,
        `${event.remedy === 'otherRoute' ? 'other route' : 'fresh connection'}: ${event.reason}`,
      )
    case 'server':
      return tellServer(event)
    default:
      return describeOutcome(event, names)
  }
}

function describeOutcome(event: LoggedEvent, { nameOf }: ServerNames): DecisionRow | undefined {
  switch (event.type) {
    case 'cut':
      return row('cut', 'bad', event.server, `request ${event.attempt} broke: ${event.cause}`)
    case 'failed':
      return row('failed', 'bad', event.server, event.cause)
    case 'relayed':
      return {
        kind: 'relayed',
        tone: 'act',
        server: undefined,
        text: `${event.operation} went through ${nameOf(event.through)}`,
      }
    case 'resent':
      return { kind: 'resent', tone: 'warn', server: undefined, text: `to be sent again: ${event.reason}` }
    case 'bad':
      return { kind: 'bad', tone: 'bad', server: undefined, text: 'blocks arrived with another digest' }
    case 'warning':
      return { kind: 'warning', tone: 'warn', server: undefined, text: event.message }
    case 'localPause':
      return {
        kind: 'pause',
        tone: 'plain',
        server: undefined,
        text: `nothing ran for ${(event.gapMs / 1000).toFixed(1)} s`,
      }
    case 'committing':
      return { kind: 'commit', tone: 'plain', server: 0, text: 'every block is verified: commit asked for' }
    case 'committed':
      return { kind: 'committed', tone: 'good', server: 0, text: tellCommit(event) }
    case 'error':
      return { kind: 'error', tone: 'bad', server: undefined, text: event.message }
    default:
      return undefined
  }
}

function row(kind: string, tone: DecisionRow['tone'], server: number, text: string): DecisionRow {
  return { kind, tone, server, text }
}

function tellSession({ kind, start, end, reason, goodputBytesPerSecond: goodput }: Of<'session'>): string {
  const what = kind === 'takeOver' ? ', taken over' : ''
  const rate = goodput === null ? '' : ` at ${((goodput * 8) / 1e6).toFixed(1)} Mbit/s`
  return `${mib(end - start)} from ${mib(start)}${what}${rate}: ${SIZE_REASONS[reason] ?? reason}`
}

function tellServer({ state, server, reason }: Of<'server'>): DecisionRow {
  const tone = { ready: 'good', suspect: 'bad', unusable: 'bad', returned: 'good' } as const
  return { kind: state, tone: tone[state], server, text: reason }
}

function tellCommit({ waitMs, pulledAtCommit, pulledEarly }: Of<'committed'>): string {
  const moved = pulledAtCommit === 0 ? 'no bytes moved' : `${mib(pulledAtCommit)} pulled`
  return `in ${Math.round(waitMs)} ms, ${moved}; ${mib(pulledEarly)} had been pulled before`
}

function risk(value: number): string {
  return ` (risk ${value.toFixed(2)})`
}

export function mib(bytes: number): string {
  return bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
