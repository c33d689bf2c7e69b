import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import type { Priors, RiskAssessment, RiskModel, RiskModelState } from 'upload-predictor'
import type { ConcurrencyChange } from '../../partitioning/concurrency-search.js'
import type { PartitionId, SessionId, StoreId } from '../../partitioning/partition-plan.js'
import type { CopyGain } from '../../redundancy/copy-gain.js'
import type { RefusalCode } from '../../redundancy/hedge-policy.js'
import type { WarningCode } from '../upload-error.js'
import type { Known } from './known.js'
import type { UploadProgress } from './progress.js'

/** A server as the log names it: 0 is the primary, then the mirrors as they were given. */
type ServerIndex = number
/** What is known of the queue on the way to a store. */
export interface PathState {
  readonly store: StoreId
  /** The shortest round trip of this upload, and the middle one of the last ones, milliseconds. */
  readonly leastMs: number
  readonly middleMs: number
}

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
  /** Neither acknowledged to this session nor verified. */
  readonly remainingBytes: number
  readonly assessment: RiskAssessment
}
/** What a decision was made upon. */
interface Grounds {
  readonly risk: number
  readonly gapMs: number
  readonly known: Known
}
/** What the model is told by such a call. */
type Told<Call extends 'sessionEnded' | 'serverLoad' | 'busy'> = Omit<Parameters<RiskModel[Call]>[0], 'nowMs'>

/** Every decision and outcome, with its reason and inputs, and all that the risk model is told. The log adds the time. */
export type UploadEvent =
  | { readonly type: 'started'; readonly group: string; readonly sizeBytes: number; readonly resumed: boolean }
  | {
      readonly type: 'server'
      readonly endpoint: string
      readonly server: ServerIndex
      readonly store: StoreId
      readonly state: 'ready' | 'suspect' | 'returned' | 'unusable'
      readonly reason: string
      /** Of `suspect`: how long it is left alone in any case, while others carry on (default 0). */
      readonly quarantineMs?: number
    }
  | { readonly type: 'warning'; readonly code: WarningCode; readonly message: string; readonly endpoint?: string }
  /** How many sessions may send. */
  | ({ readonly type: 'concurrency'; readonly paths: readonly PathState[] } & ConcurrencyChange)
  | ({
      readonly type: 'session'
      readonly kind: 'first' | 'takeOver' | 'copy'
      readonly start: number
      readonly end: number
      readonly reason: string
      readonly windowMs: number
      readonly goodputBytesPerSecond: number | null
      /** What the model takes it to need in all; null while it knows nothing. */
      readonly plannedMs: number | null
    } & OfSession)
  | ({
      readonly type: 'split'
      readonly oldEnd: number
      readonly newEnd: number
      readonly reason: string
    } & Grounds &
      OfSession)
  | ({
      readonly type: 'takeOver'
      readonly range: ByteRange
      readonly reason: string
    } & Grounds &
      OfSession)
  | ({
      readonly type: 'copy'
      readonly of: SessionId
      readonly from: ServerIndex
      readonly range: ByteRange
      readonly reason: string
      readonly gain: CopyGain
    } & Grounds &
      OfSession)
  | ({
      readonly type: 'withheld'
      readonly code: RefusalCode
      readonly reason: string
      readonly gain?: CopyGain
    } & Grounds &
      OfSession)
  | ({
      readonly type: 'reconnect'
      readonly reason: string
      readonly remedy: 'freshConnection' | 'otherRoute'
      readonly endpoint: string
    } & Grounds &
      OfSession)
  | ({ readonly type: 'waiting'; readonly cause: string; readonly delayMs: number } & OfSession)
  | ({ readonly type: 'shrunk'; readonly maxBodyBytes: number } & OfSession)
  | ({ readonly type: 'cut'; readonly cause: string; readonly attempt: number } & OfSession)
  /**
   * `appLimited`: the source or the application's hooks set its pace, not the path. `estimated`: handed to the network, for
   * a plain server says nothing before its answer.
   */
  | ({
      readonly type: 'acked'
      readonly offset: number
      readonly appLimited?: boolean
      readonly estimated?: boolean
    } & OfSession)
  | ({
      readonly type: 'completed'
      readonly start: number
      readonly end: number
      readonly kind: 'first' | 'takeOver' | 'copy'
    } & OfSession)
  | ({ readonly type: 'superseded'; readonly via: 'client' | 'server'; readonly by: SessionId | null } & OfSession)
  | ({ readonly type: 'failed'; readonly cause: string } & OfSession)
  | {
      readonly type: 'terminated'
      readonly session: SessionId
      readonly store: StoreId
      readonly reason: string
      readonly outcome: 'confirmed' | 'gone' | 'left'
      readonly tries: number
      readonly waitMs: number
    }
  | { readonly type: 'verified'; readonly ranges: RangeSet; readonly via: 'claim' | 'event' | 'status' | 'have' }
  | { readonly type: 'bad'; readonly ranges: RangeSet; readonly store: StoreId }
  | { readonly type: 'resent'; readonly ranges: RangeSet; readonly reason: string }
  | {
      readonly type: 'route'
      readonly server: ServerIndex
      readonly store: StoreId
      readonly from: string
      readonly endpoint: string
    }
  | { readonly type: 'relayed'; readonly operation: string; readonly store: StoreId; readonly through: string }
  | ({ readonly type: 'progress' } & UploadProgress)
  | { readonly type: 'localPause'; readonly gapMs: number }
  /** Where the model starts: what was remembered, and what logs of before taught. */
  | {
      readonly type: 'recalled'
      readonly state: RiskModelState | null
      readonly ageMs: number
      readonly priors: Priors | null
    }
  | { readonly type: 'heard'; readonly store: StoreId }
  | { readonly type: 'roundTrip'; readonly store: StoreId; readonly operation: string; readonly roundTripMs: number }
  | { readonly type: 'probesWanted'; readonly stores: readonly StoreId[] }
  | { readonly type: 'probeLost'; readonly store: StoreId }
  | ({ readonly type: 'load' } & Told<'serverLoad'>)
  | ({ readonly type: 'busy' } & Told<'busy'>)
  | ({ readonly type: 'ended' } & Told<'sessionEnded'>)
  | {
      readonly type: 'sample'
      readonly ackedBytes: number
      readonly verifiedBytes: number
      readonly goodputBytesPerSecond: number | null
      readonly link: { pGood: number; pBad: number; pOutage: number; phi: number }
      readonly sessions: readonly SessionSample[]
    }
  | { readonly type: 'plain'; readonly endpoint: string; readonly sizeBytes: number | null }
  | { readonly type: 'committing' }
  /** The home stayed away, and a majority of the servers has given the file this one. */
  | {
      readonly type: 'homeMoved'
      readonly server: ServerIndex
      readonly store: StoreId
      readonly from: StoreId
      readonly endpoint: string
      readonly waitedMs: number
    }
  | {
      readonly type: 'commitAnswer'
      readonly state: 'pulling' | 'incomplete' | 'none'
      readonly missingBytes: number | null
      readonly reason: string
    }
  | {
      readonly type: 'committed'
      readonly url: string
      readonly waitMs: number
      /** Part of waitMs: until the home had pulled its peers' last blocks. */
      readonly pullWaitMs: number
      readonly pulledAtCommit: number
      readonly pulledEarly: number
    }
  /** A plain server has the whole file. */
  | { readonly type: 'uploaded'; readonly url: string }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  /** Another page uploads this file: this one waits for its turn. */
  | { readonly type: 'following' }
  /** The page is frozen or put aside; afterwards, for how long it was. */
  | { readonly type: 'asleep'; readonly reason: 'freeze' | 'pagehide' }
  | { readonly type: 'awake'; readonly gapMs: number }
  | { readonly type: 'cancelled' }
  | { readonly type: 'error'; readonly code: string; readonly message: string }
