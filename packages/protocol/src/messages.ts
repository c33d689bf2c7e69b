import type { RangeSet } from './byte-range.js'

/** Most entries of one list in one operation: a stranger's message stays small (PROTOCOL 8d). */
export const MAX_ENTRIES = 4096

export type UploadState = 'pending' | 'inProgress' | 'completed' | 'failed' | 'superseded'
export type GroupState = 'open' | 'committing' | 'committed' | 'terminated' | 'expired'
/** Ranges as they travel: `[start, end)` pairs. */
export type WireRanges = readonly (readonly [number, number])[]

/** Every operation names its group, the group's home, and the store it is for (by default the one that is asked). */
interface GroupOperation {
  readonly group: string
  /** `Store-Id` of the store where the file is committed. */
  readonly home: string
  /** `Store-Id` this operation is for: any peer relays it there. `commit` is always for the home. */
  readonly store?: string | undefined
  readonly client?: string | undefined
}
export interface StatusRequest extends GroupOperation {
  readonly op: 'status'
}
export interface PlanRequest extends GroupOperation {
  readonly op: 'plan'
  /** `end` lowers a session's planned end (never below its offset); `drop` ends it, its whole blocks stay. */
  readonly changes: readonly (
    | { readonly session: string; readonly end: number }
    | { readonly session: string; readonly drop: true; readonly reason?: string | undefined }
  )[]
}
export interface ClaimRequest extends GroupOperation {
  readonly op: 'claim'
  /** SHA-256 of consecutive blocks from `start` (on a block boundary) on, of bytes that `session` sends to this store. */
  readonly claims: readonly { readonly session: string; readonly start: number; readonly leaves: readonly string[] }[]
}
export interface HaveRequest extends GroupOperation {
  readonly op: 'have'
  readonly blocks: readonly { readonly start: number; readonly leaf: string }[]
}
export interface CommitRequest extends GroupOperation {
  readonly op: 'commit'
  readonly size: number
  /** Merkle root over all block digests, base64url. */
  readonly root: string
  /** At `store`, because the home has been away for too long: it becomes the home, where that is allowed. */
  readonly elsewhere?: boolean | undefined
}
export interface TerminateRequest extends GroupOperation {
  readonly op: 'terminate'
}
export interface EventsRequest {
  readonly op: 'events'
  readonly client: string
  readonly lastEventId?: string | undefined
}
export type GroupOperationRequest =
  | StatusRequest
  | PlanRequest
  | ClaimRequest
  | HaveRequest
  | CommitRequest
  | TerminateRequest
export type OperationRequest = GroupOperationRequest | EventsRequest

export interface SessionStatus {
  readonly session: string
  readonly partition: string
  readonly start: number
  /** Planned end; null while it is open. */
  readonly end: number | null
  /** Bytes of the session's own range that are acknowledged: the next byte is `start + offset`. */
  readonly offset: number
  readonly state: UploadState
}
export interface StatusAnswer {
  readonly state: GroupState
  readonly size: number | null
  /** Verified anywhere, as far as the answering store knows. */
  readonly verified: RangeSet
  /** Whole blocks that this store itself holds, verified or not. */
  readonly stored: RangeSet
  readonly bad: RangeSet
  readonly sessions: readonly SessionStatus[]
  readonly url: string | null
}
export interface PlanAnswer {
  readonly sessions: readonly {
    readonly session: string
    readonly end: number | null
    readonly offset: number
    readonly state: UploadState
  }[]
}
export interface ClaimAnswer {
  /** Of what was claimed here: verified now. The rest is verified when its bytes arrive (event `verified`). */
  readonly verified: RangeSet
  /** Of `verified`: copied here, by this operation or an earlier one, without any session of the group having brought them. */
  readonly attached: RangeSet
  /** Bytes arrived that have another digest: freed, to be sent again. */
  readonly bad: RangeSet
  readonly superseded: readonly string[]
  /** Another digest is verified there already: the source has changed. */
  readonly conflict: RangeSet
}
export interface HaveAnswer {
  /** Now verified in this group without being sent. */
  readonly attached: RangeSet
}
export type CommitAnswer =
  | {
      readonly state: 'committed'
      readonly url: string /** Bytes fetched from peers after `commit` was asked for. */
      readonly pulledAtCommit: number
      readonly pulledEarly: number
    }
  | { readonly state: 'pulling'; readonly missingBytes: number }
  | { readonly state: 'incomplete'; readonly missing: RangeSet; readonly bad: RangeSet }
export interface TerminateAnswer {
  readonly state: 'terminated'
}

/** What the event stream says; each is also learnt later from answers: nothing depends on it (DESIGN 5.13). */
export type ServerEvent =
  | { readonly type: 'offset'; readonly group: string; readonly session: string; readonly offset: number }
  | { readonly type: 'verified'; readonly group: string; readonly ranges: RangeSet }
  | { readonly type: 'bad'; readonly group: string; readonly ranges: RangeSet }
  | { readonly type: 'superseded'; readonly group: string; readonly session: string }
  | { readonly type: 'pulled'; readonly group: string; readonly ranges: RangeSet }
  | { readonly type: 'load'; readonly load: number }
  | { readonly type: 'committed'; readonly group: string; readonly url: string }
  | { readonly type: 'terminated'; readonly group: string }
  | { readonly type: 'reset' }

/** A refused operation, as JSON. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string }
}

/** The answer of each operation. */
export interface OperationAnswers {
  readonly status: StatusAnswer
  readonly plan: PlanAnswer
  readonly claim: ClaimAnswer
  readonly have: HaveAnswer
  readonly commit: CommitAnswer
  readonly terminate: TerminateAnswer
}
export type OperationName = keyof OperationAnswers
