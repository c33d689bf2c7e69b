import * as v from 'valibot'
import type { RangeSet } from './byte-range.js'
import { toRangeSet } from './byte-range.js'
import { DIGEST_TEXT } from './digest.js'
import type { OperationAnswers, OperationName, OperationRequest, ServerEvent } from './messages.js'
import { MAX_ENTRIES } from './messages.js'
import { ProtocolError } from './protocol-error.js'

/** An issue quotes what was received, which a stranger may have made long. */
const MAX_MESSAGE = 300

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
  v.object({ op: v.literal('commit'), ...common, size: Offset, root: Leaf, elsewhere: v.optional(v.boolean()) }),
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
  claim: v.object({
    verified: Ranges,
    // servers before this was added do not say it
    attached: v.optional(Ranges, []),
    bad: Ranges,
    superseded: v.array(v.string()),
    conflict: Ranges,
  }),
  have: v.object({ attached: Ranges }),
  commit: v.variant('state', [
    v.object({ state: v.literal('committed'), url: v.string(), pulledAtCommit: Offset, pulledEarly: Offset }),
    v.object({ state: v.literal('pulling'), missingBytes: Offset }),
    v.object({ state: v.literal('incomplete'), missing: Ranges, bad: Ranges }),
  ]),
  terminate: v.object({ state: v.literal('terminated') }),
} as const

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
