import type { FailureKind, SessionOutcome } from '../outcome-ledger.js'
import type { Priors } from './model-file.js'

/** What a log's line tells, as far as anything is learned from it. Times: `elapsedMs` of its upload, `at` since 1970. */
interface Timed {
  /** Which upload of those in this log, and the number of the event in it: neither in logs before they were written. */
  readonly upload?: string
  readonly n?: number
  readonly at: number
  /** On the upload's own clock; a server's lines have none. */
  readonly elapsedMs: number
}
export interface OfSession {
  readonly session: string
  readonly partition: string
  readonly store: string
  /** 0 is the primary; undefined in a server's own log. */
  readonly server?: number
}
export type SessionKind = 'first' | 'takeOver' | 'copy'

export interface Because {
  readonly factor: string
  readonly weight: number
  readonly text: string
}

/** What a diagnosis rests on, and a risk by cause: neither in logs before they were written. */
export interface Blamed {
  readonly split?: {
    readonly link: number
    readonly server: number
    readonly connection: number
    readonly straggle: number
    readonly open: number
  }
  readonly blame?: readonly (Because & { readonly cause: string })[]
  /** Since weights are log-odds; before, they were probabilities. */
  readonly usualLogOdds?: number
}

/** What was known of a session when something was decided of it. */
export interface Known extends Blamed {
  readonly link: number
  readonly server: number
  /** Not in logs before it was written. */
  readonly connection?: number
  readonly straggle: number
  readonly late: number
  readonly phi: number
  readonly expectedMs: number
  readonly alternatives: readonly { readonly store: string; readonly expectedMs: number }[]
  readonly because: readonly Because[]
}

/** What was known of one session in flight. `acked` and `end` are offsets in the file. */
export interface SessionSample extends OfSession {
  readonly start: number
  readonly end: number
  readonly acked: number
  /** Neither acknowledged nor verified; not in logs before it was written. */
  readonly remainingBytes?: number
  readonly assessment: Blamed & {
    readonly risk: number
    readonly link: number
    readonly server: number
    readonly straggle: number
    readonly gapMs: number
    readonly expectedRateBytesPerSecond: number
    readonly expectedRemainingMs: number
    readonly horizonMs: number
    /** What all that it is to send was planned to take; missing without a plan, and in logs before it was written. */
    readonly plannedMs?: number | undefined
    readonly because: readonly Because[]
  }
}

export type LogEvent = Timed &
  (
    | { readonly type: 'started'; readonly group: string; readonly sizeBytes: number }
    /** `sizeBytes`: null of a stream. */
    | { readonly type: 'plain'; readonly sizeBytes: number | null }
    | { readonly type: 'server'; readonly server: number; readonly store: string; readonly state: string }
    | ({
        readonly type: 'session'
        readonly kind: SessionKind
        readonly start: number
        readonly end: number
        readonly reason: string
        /** What its server was known to reach; null where nothing was known. */
        readonly goodputBytesPerSecond: number | null
        /** What it was expected to take in all; null where nothing was, missing in logs before it was written. */
        readonly plannedMs?: number | null
      } & OfSession)
    | ({
        readonly type: 'split'
        readonly oldEnd: number
        readonly newEnd: number
        readonly reason: string
        readonly risk: number
        /** Not in logs before it was written. */
        readonly known?: Known
      } & OfSession)
    | ({
        readonly type: 'takeOver'
        readonly reason: string
        readonly risk: number
        readonly gapMs: number
        readonly known?: Known
      } & OfSession)
    | ({
        readonly type: 'withheld'
        readonly code: string
        readonly reason: string
        readonly risk: number
        readonly gapMs: number
        readonly known: Known
      } & OfSession)
    | ({
        readonly type: 'copy'
        readonly of: string
        readonly from: number
        readonly reason: string
        readonly risk: number
        readonly gapMs: number
        /** Before `known` was written. */
        readonly because?: readonly Because[]
        readonly known?: Known
      } & OfSession)
    /** `appLimited`: the sender's own side set its pace. `estimated`: handed to the network alone, a plain server tells no more. */
    | ({
        readonly type: 'acked'
        readonly offset: number
        readonly appLimited?: boolean
        readonly estimated?: boolean
      } & OfSession)
    /** Where the model started: what it remembered, so old, and what logs had taught. */
    | {
        readonly type: 'recalled'
        readonly state: object | null
        readonly ageMs: number
        readonly priors: Priors | null
      }
    | ({ readonly type: 'completed' } & OfSession)
    | ({ readonly type: 'superseded' } & OfSession)
    | ({ readonly type: 'failed'; readonly cause: string } & OfSession)
    | { readonly type: 'localPause'; readonly gapMs: number }
    | { readonly type: 'heard'; readonly store: string }
    | { readonly type: 'roundTrip'; readonly store: string; readonly roundTripMs: number }
    | { readonly type: 'probesWanted'; readonly stores: readonly string[] }
    | { readonly type: 'probeLost'; readonly store: string }
    | { readonly type: 'load'; readonly store: string; readonly load: number; readonly session?: string }
    | { readonly type: 'busy'; readonly store: string; readonly retryAfterMs?: number; readonly session?: string }
    | {
        readonly type: 'ended'
        readonly session: string
        readonly outcome: SessionOutcome
        readonly failure?: FailureKind
      }
    /** How many events of each type the writer had to leave out. */
    | { readonly type: 'dropped'; readonly counts: Readonly<Record<string, number>> }
    | { readonly type: 'paused' }
    | { readonly type: 'resumed' }
    | { readonly type: 'following' }
    /** The page was frozen or put aside; `localPause` follows its return. */
    | { readonly type: 'asleep' }
    | { readonly type: 'awake'; readonly gapMs: number }
    | {
        readonly type: 'sample'
        readonly link: { readonly pGood: number }
        readonly sessions: readonly SessionSample[]
      }
    | { readonly type: 'committed' }
    /** To a plain server, which has the whole file. */
    | { readonly type: 'uploaded' }
    | { readonly type: 'cancelled' }
    | { readonly type: 'error'; readonly code: string }
    | { readonly type: 'script'; readonly text: string }
    /** A line of a server's log about a session of one of its clients. */
    | {
        readonly type: 'atServer'
        readonly what: 'opened' | 'completed' | 'superseded' | 'terminated' | 'expired'
        readonly group: string
        readonly session: string
        readonly partition: string
        readonly store: string
        readonly start: number
        readonly end: number
        readonly offset: number
      }
  )

export type EventOf<Type extends LogEvent['type']> = Extract<LogEvent, { readonly type: Type }>
