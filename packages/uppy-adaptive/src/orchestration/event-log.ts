import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import type { RiskAssessment } from 'upload-predictor'
import type { PartitionId, SessionId, StoreId } from '../partitioning/partition-plan.js'

/** A server as the log names it: 0 is the primary, then the mirrors as they were given. */
type ServerIndex = number
interface OfSession {
  readonly session: SessionId
  readonly partition: PartitionId
  readonly store: StoreId
  readonly server: ServerIndex
}
export interface SessionSample extends OfSession {
  readonly start: number
  readonly end: number
  readonly acked: number
  readonly kind: 'first' | 'takeOver' | 'copy'
  readonly assessment: RiskAssessment
}

/** Every decision and outcome, with its reason and inputs. `at` is added when it is logged. */
export type UploadEvent =
  | { readonly type: 'started'; readonly group: string; readonly sizeBytes: number; readonly resumed: boolean }
  | {
      readonly type: 'server'
      readonly endpoint: string
      readonly server: ServerIndex
      readonly store: StoreId
      readonly state: 'ready' | 'suspect' | 'returned'
      readonly reason: string
    }
  | { readonly type: 'warning'; readonly code: string; readonly message: string; readonly endpoint?: string }
  | ({
      readonly type: 'session'
      readonly kind: 'first' | 'takeOver' | 'copy'
      readonly start: number
      readonly end: number
      readonly reason: string
      readonly windowMs: number
      readonly goodputBytesPerSecond: number | null
    } & OfSession)
  | ({
      readonly type: 'split'
      readonly oldEnd: number
      readonly newEnd: number
      readonly reason: string
      readonly risk: number
    } & OfSession)
  | ({
      readonly type: 'takeOver'
      readonly range: ByteRange
      readonly reason: string
      readonly risk: number
      readonly gapMs: number
    } & OfSession)
  | ({
      readonly type: 'copy'
      readonly of: SessionId
      readonly from: ServerIndex
      readonly range: ByteRange
      readonly reason: string
      readonly risk: number
      readonly gapMs: number
      readonly because: RiskAssessment['because']
    } & OfSession)
  | ({
      readonly type: 'reconnect'
      readonly reason: string
      readonly remedy: 'freshConnection' | 'otherRoute'
      readonly endpoint: string
    } & OfSession)
  | ({ readonly type: 'cut'; readonly cause: string; readonly attempt: number } & OfSession)
  | ({ readonly type: 'acked'; readonly offset: number } & OfSession)
  | ({
      readonly type: 'completed'
      readonly start: number
      readonly end: number
      readonly kind: 'first' | 'takeOver' | 'copy'
    } & OfSession)
  | ({ readonly type: 'superseded'; readonly via: 'client' | 'server'; readonly by: SessionId | null } & OfSession)
  | ({ readonly type: 'failed'; readonly cause: string } & OfSession)
  | { readonly type: 'verified'; readonly ranges: RangeSet; readonly via: 'claim' | 'event' | 'status' }
  | { readonly type: 'bad'; readonly ranges: RangeSet; readonly store: StoreId }
  | { readonly type: 'resent'; readonly ranges: RangeSet; readonly reason: string }
  | { readonly type: 'relayed'; readonly operation: string; readonly store: StoreId; readonly through: string }
  | { readonly type: 'progress'; readonly ackedBytes: number; readonly totalBytes: number }
  | { readonly type: 'localPause'; readonly gapMs: number }
  | {
      readonly type: 'sample'
      readonly ackedBytes: number
      readonly verifiedBytes: number
      readonly goodputBytesPerSecond: number | null
      readonly link: { pGood: number; pBad: number; pOutage: number; phi: number }
      readonly sessions: readonly SessionSample[]
    }
  | { readonly type: 'committing' }
  | {
      readonly type: 'committed'
      readonly url: string
      readonly waitMs: number
      /** Part of waitMs: until the home had pulled its peers' last blocks. */
      readonly pullWaitMs: number
      readonly pulledAtCommit: number
      readonly pulledEarly: number
    }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  | { readonly type: 'cancelled' }
  | { readonly type: 'error'; readonly code: string; readonly message: string }

/** An event as it is kept: `at` is the wall clock (ms since 1970), `elapsedMs` counts from the start of the upload. */
export type LoggedEvent = UploadEvent & { readonly at: number; readonly elapsedMs: number }

const KEPT = 10_000

/** The last events in a ring, and whoever listens. A listener that throws does not stop the upload. */
export class EventLog {
  readonly #now: () => { at: number; elapsedMs: number }
  readonly #onListenerError: (error: unknown) => void
  readonly #kept: LoggedEvent[] = []
  readonly #listeners = new Set<(event: LoggedEvent) => void>()

  /** @param onListenerError is told of a listener that threw: its bug stays visible and stays the listener's */
  constructor(now: () => { at: number; elapsedMs: number }, onListenerError: (error: unknown) => void) {
    this.#now = now
    this.#onListenerError = onListenerError
  }

  emit(event: UploadEvent): void {
    const logged = { ...event, ...this.#now() }
    this.#kept.push(logged)
    if (this.#kept.length > KEPT) this.#kept.splice(0, this.#kept.length - KEPT)
    for (const listener of this.#listeners) {
      try {
        listener(logged)
      } catch (error) {
        this.#onListenerError(error)
      }
    }
  }

  subscribe(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The kept events, oldest first. */
  events(): readonly LoggedEvent[] {
    return this.#kept
  }

  /** The kept events, oldest first, one JSON object a line. */
  toNdjson(): string {
    return this.#kept.map((event) => `${JSON.stringify(event)}\n`).join('')
  }
}
