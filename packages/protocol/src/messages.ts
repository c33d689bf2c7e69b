import * as v from 'valibot'
import type { RangeSet } from './byte-range.js'
import { toRangeSet } from './byte-range.js'
import { DIGEST_TEXT } from './digest.js'
import { ProtocolError } from './protocol-error.js'

/** Most entries of one list in one operation: a stranger's message stays small (PROTOCOL 8d). */
export const MAX_ENTRIES = 4096

/** An issue quotes what was received, which a stranger may have made long. */
const MAX_MESSAGE = 300

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

const not = (expected: string) => (issue: v.BaseIssue<unknown>) => `${expected}, not ${issue.received}`
const Id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/, not('an id is 22 characters of base64url')))
const Leaf = v.pipe(v.string(), v.regex(DIGEST_TEXT, not('a digest is 43 characters of base64url')))
const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const list = <T extends v.GenericSchema>(item: T) => v.pipe(v.array(item), v.maxLength(MAX_ENTRIES))
const Ranges = v.pipe(
  v.array(v.tuple([Offset, Offset])),
  v.transform((pairs): RangeSet => toRangeSet(pairs.map(([start, end]) => ({ start, end })))),
)
const common = { group: Id, home: Id, store: v.optional(Id), client: v.optional(Id) }
const Operation = v.variant('op', [
  v.object({ op: v.literal('status'), ...common }),
  v.object({
    op: v.literal('plan'),
    ...common,
    changes: list(
      v.union(
        [
          v.object({ session: Id, drop: v.literal(true), reason: v.optional(v.pipe(v.string(), v.maxLength(200))) }),
          v.object({ session: Id, end: Offset }),
        ],
        'a change is { session, end } or { session, drop: true }',
      ),
    ),
  }),
  v.object({
    op: v.literal('claim'),
    ...common,
    claims: list(v.object({ session: Id, start: Offset, leaves: list(Leaf) })),
  }),
  v.object({ op: v.literal('have'), ...common, blocks: list(v.object({ start: Offset, leaf: Leaf })) }),
  v.object({ op: v.literal('commit'), ...common, size: Offset, root: Leaf }),
  v.object({ op: v.literal('terminate'), ...common }),
  v.object({ op: v.literal('events'), client: Id, lastEventId: v.optional(v.pipe(v.string(), v.maxLength(64))) }),
])

const State = v.picklist(['pending', 'inProgress', 'completed', 'failed', 'superseded'])
const answers = {
  status: v.object({
    state: v.picklist(['open', 'committing', 'committed', 'terminated', 'expired']),
    size: v.nullable(Offset),
    verified: Ranges,
    stored: Ranges,
    bad: Ranges,
    sessions: v.array(
      v.object({
        session: v.string(),
        partition: v.string(),
        start: Offset,
        end: v.nullable(Offset),
        offset: Offset,
        state: State,
      }),
    ),
    url: v.nullable(v.string()),
  }),
  plan: v.object({
    sessions: v.array(v.object({ session: v.string(), end: v.nullable(Offset), offset: Offset, state: State })),
  }),
  claim: v.object({ verified: Ranges, bad: Ranges, superseded: v.array(v.string()), conflict: Ranges }),
  have: v.object({ attached: Ranges }),
  commit: v.variant('state', [
    v.object({ state: v.literal('committed'), url: v.string(), pulledAtCommit: Offset, pulledEarly: Offset }),
    v.object({ state: v.literal('pulling'), missingBytes: Offset }),
    v.object({ state: v.literal('incomplete'), missing: Ranges, bad: Ranges }),
  ]),
  terminate: v.object({ state: v.literal('terminated') }),
} as const

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

const Event = v.variant('type', [
  v.object({ type: v.literal('offset'), group: Id, session: v.string(), offset: Offset }),
  v.object({ type: v.literal('verified'), group: Id, ranges: Ranges }),
  v.object({ type: v.literal('bad'), group: Id, ranges: Ranges }),
  v.object({ type: v.literal('superseded'), group: Id, session: v.string() }),
  v.object({ type: v.literal('pulled'), group: Id, ranges: Ranges }),
  v.object({ type: v.literal('load'), load: v.number() }),
  v.object({ type: v.literal('committed'), group: Id, url: v.string() }),
  v.object({ type: v.literal('terminated'), group: Id }),
  v.object({ type: v.literal('reset') }),
])

/** @throws ProtocolError `bad-message` that says where it is wrong. */
export function parseOperation(json: unknown): OperationRequest {
  return parseWith(Operation, json)
}

/** @throws ProtocolError `bad-message` */
export function parseAnswer<Name extends OperationName>(op: Name, json: unknown): OperationAnswers[Name] {
  const schema: v.GenericSchema<unknown, OperationAnswers[OperationName]> = answers[op]
  // the schema was chosen by the same name that chooses the type
  return parseWith(schema, json) as OperationAnswers[Name]
}

/** @throws ProtocolError `bad-message` */
export function parseServerEvent(json: unknown): ServerEvent {
  return parseWith(Event, json)
}

/** The JSON text of an answer or event, with ranges as pairs. */
export function formatMessage(message: OperationAnswers[OperationName] | ServerEvent | OperationRequest): string {
  return JSON.stringify(message, (_key, value: unknown) => (isRange(value) ? [value.start, value.end] : value))
}

function isRange(value: unknown): value is { start: number; end: number } {
  return (
    typeof value === 'object' && value !== null && Object.keys(value).length === 2 && 'start' in value && 'end' in value
  )
}

function parseWith<T>(schema: v.GenericSchema<unknown, T>, json: unknown): T {
  const result = v.safeParse(schema, json)
  if (result.success) return result.output
  const issue = result.issues[0]
  const path = v.getDotPath(issue)
  throw new ProtocolError('bad-message', `${path ? `${path}: ` : ''}${issue.message.slice(0, MAX_MESSAGE)}`)
}
