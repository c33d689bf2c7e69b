import { FailureAttribution } from './failure-attribution.js'
import { PredictorError, quote } from './predictor-error.js'
import type { SessionRecord } from './session-record.js'
import { STRAGGLER_FACTOR } from './straggler.js'

/** How a session ended: superseded and taken over = it would have taken longer; cancelled = no information. */
export type SessionOutcome = 'completed' | 'failed' | 'superseded' | 'cancelled' | 'takenOver'

/**
 * How it failed. `connection` (refused, reset) and `timeout` may be the link; `serverError` (5xx) is the server's own
 * word; `load` (429, 503 with Retry-After) and `configuration` (4xx) are no failures of a server.
 */
export type FailureKind = 'connection' | 'timeout' | 'serverError' | 'load' | 'configuration'

/** METHODS, Risk (failure history): each counts by 1 - P(link bad), except what the server answered itself. */
const COUNTS: { readonly [kind in FailureKind]: 'ifLinkGood' | 'fully' | 'never' } = {
  connection: 'ifLinkGood',
  timeout: 'ifLinkGood',
  serverError: 'fully',
  load: 'never',
  configuration: 'never',
}
/** Guess: a failure that was only suspected counts half. */
const SUSPECTED_WEIGHT = 0.5

export interface EndedSession {
  nowMs: number
  session: SessionRecord
  outcome: SessionOutcome
  failure: FailureKind
  pLinkGood: number
  /** It was more likely its server than the link, where it was taken over. */
  isBlamed: boolean
}

/** What the end of a session teaches of its store: rate, time against plan, failures. */
export class OutcomeLedger {
  readonly attribution: FailureAttribution = new FailureAttribution()

  ended(o: EndedSession): void {
    if (o.outcome === 'cancelled') return
    if (o.outcome === 'completed') this.#completed(o)
    else this.#endedEarly(o)
  }

  #completed({ nowMs, session }: EndedSession): void {
    const workedMs = session.course.workedMs(nowMs)
    const ratio = session.course.ratio(nowMs, session.ackedBytes)
    if (workedMs === undefined || session.ackedBytes === 0) return
    session.store.partitions.add((session.ackedBytes / workedMs) * 1000)
    const isLate = ratio !== undefined && ratio > STRAGGLER_FACTOR
    session.store.health.saw({ nowMs, sign: isLate ? 'late' : 'completed' })
    if (ratio !== undefined) session.store.completions.completed(ratio)
  }

  #endedEarly(o: EndedSession): void {
    const { nowMs, session } = o
    const counts = o.outcome === 'failed' ? COUNTS[o.failure] : 'ifLinkGood'
    const ratio = session.course.ratio(nowMs, session.totalBytes)
    if (ratio !== undefined && counts !== 'never') session.store.completions.censored(ratio)
    if (counts === 'never' || o.outcome === 'superseded') return
    if (counts === 'fully') return this.#failedForSure(nowMs, session)
    const blame = o.outcome === 'failed' ? 1 : o.isBlamed ? SUSPECTED_WEIGHT : 0
    if (blame === 0) return
    const weight = blame * o.pLinkGood
    session.store.health.saw({ nowMs, sign: 'failed', weight })
    this.attribution.failed({ store: session.storeKey, atMs: nowMs, weight, history: session.store.failures })
  }

  #failedForSure(nowMs: number, { store }: SessionRecord): void {
    store.failures.failed(1)
    store.health.saw({ nowMs, sign: 'failed' })
  }
}

const OUTCOMES: ReadonlySet<unknown> = new Set<SessionOutcome>([
  'completed',
  'failed',
  'superseded',
  'cancelled',
  'takenOver',
])

/** @throws PredictorError `invalidOption` for a word that no ending has */
export function requireEnding(outcome: SessionOutcome, failure: FailureKind): void {
  if (!OUTCOMES.has(outcome)) {
    throw new PredictorError(
      'invalidOption',
      `outcome must be one of ${[...OUTCOMES].join(', ')}, got ${quote(outcome)}`,
    )
  }
  if (!Object.hasOwn(COUNTS, failure)) {
    throw new PredictorError(
      'invalidOption',
      `failure must be one of ${Object.keys(COUNTS).join(', ')}, got ${quote(failure)}`,
    )
  }
}

/** Something failed, and not for load or configuration. */
export function isFailure(failure: FailureKind): boolean {
  return COUNTS[failure] !== 'never'
}

/** The server itself spoke when it ended the session. */
export function isAnswered(outcome: SessionOutcome, failure: FailureKind): boolean {
  return outcome === 'completed' || (outcome === 'failed' && failure !== 'connection' && failure !== 'timeout')
}
