import type { FailureKind, SessionOutcome } from '../outcome-ledger.js'
import type { EventOf, OfSession, SessionKind, SessionSample } from './log-event.js'
import type { Pauses } from './pauses.js'

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
  /** What it was expected to take in all when it started; undefined without a plan, and in logs before it was written. */
  readonly plannedMs: number | undefined
  /** Times and offsets rise. */
  readonly acks: { readonly elapsedMs: number; readonly offset: number }[]
  readonly samples: (SessionSample & { readonly elapsedMs: number })[]
  ending: Ending
  /** When it ended; with `unknown`, when it was heard of last. */
  endedMs: number
  cause: string | undefined
  /** As the client's risk model learned its end; undefined in logs before it was written. */
  learned: { readonly outcome: SessionOutcome; readonly failure?: FailureKind } | undefined
  /** The sender's own side set its pace: how long it took says nothing of a server. */
  isLimitedByUs: boolean
}

export type Decision = EventOf<'copy' | 'split' | 'takeOver'>

/** The session that something was decided about. */
export function victimOf(decision: Decision): string {
  return decision.type === 'copy' ? decision.of : decision.session
}

/** One run of one upload: what is resumed later is another run of the same group. */
export interface UploadRun {
  /** The group's id; of a plain upload its own name; `?` where the log does not tell. */
  id: string
  /** To a tus server without our extension. */
  isPlain: boolean
  readonly log: string
  sizeBytes: number | undefined
  readonly sessions: Map<string, SessionRun>
  readonly decisions: Decision[]
  /** Where a session in trouble was left as it was, and why. */
  readonly withheld: EventOf<'withheld'>[]
  /** Each store's server: 0 is the primary. */
  readonly servers: Map<string, number>
  /** P(link good) as it was thought, with its time: times rise. */
  readonly link: { readonly elapsedMs: number; readonly pGood: number }[]
  readonly pauses: Pauses
  readonly scripts: EventOf<'script'>[]
  /** Wall clock less elapsed time. */
  startedAt: number | undefined
  lastMs: number
  end: 'committed' | 'uploaded' | 'cancelled' | 'error' | undefined
  /** Events that stood after later ones, and were put back in their place. */
  outOfOrder: number
  /** Events whose time fits neither what came before nor what came after: left out. */
  misdated: number
}
