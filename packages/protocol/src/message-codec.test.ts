import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RangeSet } from './byte-range.js'
import { toRangeSet } from './byte-range.js'
import { BLOCK_SIZE, encodeDigest } from './digest.js'
import { formatId } from './headers.js'
import { formatMessage, parseAnswer, parseOperation, parseServerEvent } from './message-codec.js'
import type {
  ClaimAnswer,
  CommitAnswer,
  HaveAnswer,
  OperationName,
  OperationRequest,
  PlanAnswer,
  ServerEvent,
  StatusAnswer,
  UploadState,
} from './messages.js'
import { MAX_ENTRIES } from './messages.js'
import { ProtocolError } from './protocol-error.js'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatId)
const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(encodeDigest)
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const ranges: fc.Arbitrary<RangeSet> = fc
  .array(fc.record({ start: fc.nat(), end: fc.nat() }), { maxLength: 6 })
  .map((list) => toRangeSet(list))
const uploadState = fc.constantFrom<UploadState>('pending', 'inProgress', 'completed', 'failed', 'superseded')
const name = fc.string({ minLength: 1, maxLength: 40 })

const group = { group: id, home: id }
const addressed = { requiredKeys: ['group', 'home', 'op'] as const }
const operation: fc.Arbitrary<OperationRequest> = fc.oneof(
  fc.record({ op: fc.constant('status'), ...group, store: id, client: id } as const, {
    requiredKeys: [...addressed.requiredKeys],
  }),
  fc.record({
    op: fc.constant('plan'),
    ...group,
    changes: fc.array(
      fc.oneof(
        fc.record({ session: id, end: offset }),
        fc.record({ session: id, drop: fc.constant(true as const), reason: fc.string({ maxLength: 200 }) }),
        fc.record({ session: id, drop: fc.constant(true as const) }),
      ),
      { maxLength: 5 },
    ),
  } as const),
  fc.record({
    op: fc.constant('claim'),
    ...group,
    claims: fc.array(fc.record({ session: id, start: offset, leaves: fc.array(leaf, { maxLength: 4 }) }), {
      maxLength: 4,
    }),
  } as const),
  fc.record({
    op: fc.constant('have'),
    ...group,
    blocks: fc.array(fc.record({ start: offset, leaf }), { maxLength: 5 }),
  } as const),
  fc.record({ op: fc.constant('commit'), ...group, size: offset, root: leaf } as const),
  fc.record({ op: fc.constant('terminate'), ...group, store: id } as const),
  fc.record({ op: fc.constant('events'), client: id, lastEventId: fc.string({ maxLength: 64 }) } as const),
)

const session = { session: id, end: fc.option(offset), offset, state: uploadState }
const status: fc.Arbitrary<StatusAnswer> = fc.record({
  state: fc.constantFrom('open', 'committing', 'committed', 'terminated', 'expired'),
  size: fc.option(offset),
  verified: ranges,
  stored: ranges,
  bad: ranges,
  sessions: fc.array(fc.record({ ...session, partition: name, start: offset }), { maxLength: 4 }),
  url: fc.option(fc.webUrl()),
})
const plan: fc.Arbitrary<PlanAnswer> = fc.record({ sessions: fc.array(fc.record(session), { maxLength: 4 }) })
const claim: fc.Arbitrary<ClaimAnswer> = fc.record({
  verified: ranges,
  attached: ranges,
  bad: ranges,
  superseded: fc.array(id, { maxLength: 3 }),
  conflict: ranges,
})
const have: fc.Arbitrary<HaveAnswer> = fc.record({ attached: ranges })
const commit: fc.Arbitrary<CommitAnswer> = fc.oneof(
  fc.record({
    state: fc.constant('committed' as const),
    url: fc.webUrl(),
    pulledAtCommit: offset,
    pulledEarly: offset,
  }),
  fc.record({ state: fc.constant('pulling' as const), missingBytes: offset }),
  fc.record({ state: fc.constant('incomplete' as const), missing: ranges, bad: ranges }),
)
const event: fc.Arbitrary<ServerEvent> = fc.oneof(
  fc.record({ type: fc.constant('offset' as const), group: id, session: id, offset }),
  fc.record({ type: fc.constantFrom('verified' as const, 'bad' as const, 'pulled' as const), group: id, ranges }),
  fc.record({ type: fc.constant('superseded' as const), group: id, session: id }),
  fc.record({ type: fc.constant('load' as const), load: fc.double({ min: 0, max: 1, noNaN: true }).map((x) => x + 0) }),
  fc.record({ type: fc.constant('committed' as const), group: id, url: fc.webUrl() }),
  fc.record({ type: fc.constant('terminated' as const), group: id }),
  fc.constant({ type: 'reset' as const }),
)

const ID = 'g'.repeat(22)
const LEAF = 'A'.repeat(43)
const OF = { group: ID, home: ID }

function refusal(parse: () => unknown): ProtocolError {
  try {
    parse()
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
  throw new Error('it was not refused')
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

test('an operation says the same after its way over the wire', () => {
  fc.assert(
    fc.property(operation, (request) => {
      expect(parseOperation(JSON.parse(formatMessage(request)))).toEqual(plain(request))
    }),
  )
})

test('an answer says the same after its way over the wire, its ranges as pairs', () => {
  const answered = fc.oneof(
    status.map((answer) => ['status', answer] as const),
    plan.map((answer) => ['plan', answer] as const),
    claim.map((answer) => ['claim', answer] as const),
    have.map((answer) => ['have', answer] as const),
    commit.map((answer) => ['commit', answer] as const),
    fc.constant(['terminate', { state: 'terminated' }] as const),
  )
  fc.assert(
    fc.property(answered, ([op, answer]) => {
      const text = formatMessage(answer)
      expect(parseAnswer<OperationName>(op, JSON.parse(text))).toEqual(plain(answer))
    }),
  )
  expect(formatMessage({ attached: [{ start: 0, end: BLOCK_SIZE }] })).toBe('{"attached":[[0,262144]]}')
})

test('the answer to a claim of a server that does not say what it copied names nothing as copied', () => {
  fc.assert(
    fc.property(claim, (answer) => {
      const { attached: _, ...older } = JSON.parse(formatMessage(answer))
      expect(parseAnswer('claim', older)).toEqual(plain({ ...answer, attached: [] }))
    }),
  )
})

test('an event says the same after its way over the wire', () => {
  fc.assert(
    fc.property(event, (said) => {
      expect(parseServerEvent(JSON.parse(formatMessage(said)))).toEqual(plain(said))
    }),
  )
})

test('what a later version adds is left out', () => {
  const request = { op: 'commit', ...OF, size: 1, root: LEAF }
  expect(parseOperation({ ...request, colour: 'red' })).toEqual(request)
  expect(parseAnswer('terminate', { state: 'terminated', more: 1 })).toEqual({ state: 'terminated' })
  expect(parseServerEvent({ type: 'reset', why: 'restart' })).toEqual({ type: 'reset' })
})

test('ranges that come unsorted or touching are one set', () => {
  const ranges = [
    [6, 9],
    [0, 3],
    [3, 4],
  ]
  expect(parseServerEvent({ type: 'verified', group: ID, ranges })).toEqual({
    type: 'verified',
    group: ID,
    ranges: [
      { start: 0, end: 4 },
      { start: 6, end: 9 },
    ],
  })
})

test.each([
  [null, 'Expected Object but received null'],
  ['status', 'Expected Object but received "status"'],
  [[], 'op: '],
  [{ op: 'rm' }, 'op: Invalid type: Expected ("status" | "plan" | "claim"'],
  [{ op: 'rm' }, 'but received "rm"'],
  [{ op: 'status', home: ID }, 'group: '],
  [{ op: 'status', group: 'x', home: ID }, 'group: an id is 22 characters of base64url, not "x"'],
  [{ op: 'status', ...OF, home: 7 }, 'home: Invalid type: Expected string but received 7'],
  [
    { op: 'status', ...OF, store: '../../etc/passwd' },
    'store: an id is 22 characters of base64url, not "../../etc/passwd"',
  ],
  [{ op: 'status', ...OF, client: null }, 'client: '],
  [{ op: 'plan', ...OF }, 'changes: '],
  [{ op: 'plan', ...OF, changes: {} }, 'changes: Invalid type: Expected Array but received Object'],
  [
    { op: 'plan', ...OF, changes: [{ session: ID }] },
    'changes.0: a change is { session, end } or { session, drop: true }',
  ],
  [{ op: 'plan', ...OF, changes: [{ session: ID, drop: false }] }, 'changes.0: a change is { session, end } or'],
  [
    { op: 'plan', ...OF, changes: [{ session: ID, end: -1 }] },
    'changes.0.end: Invalid value: Expected >=0 but received -1',
  ],
  [
    {
      op: 'plan',
      ...OF,
      changes: [
        { session: ID, end: 1 },
        { session: 'y', end: 1 },
      ],
    },
    'changes.1.session: ',
  ],
  [{ op: 'plan', ...OF, changes: [{ session: ID, drop: true, reason: 'r'.repeat(201) }] }, 'changes.0.reason: '],
  [{ op: 'claim', ...OF, claims: [{ session: ID, start: 0.5, leaves: [] }] }, 'claims.0.start: '],
  [{ op: 'claim', ...OF, claims: [{ session: ID, start: 2 ** 53, leaves: [] }] }, 'claims.0.start: '],
  [
    { op: 'claim', ...OF, claims: [{ session: ID, start: 0, leaves: [LEAF, 'zz'] }] },
    'claims.0.leaves.1: a digest is 43 characters of base64url, not "zz"',
  ],
  [{ op: 'have', ...OF, blocks: [{ start: 0 }] }, 'blocks.0.leaf: '],
  [{ op: 'commit', ...OF, size: '1', root: LEAF }, 'size: Invalid type: Expected number but received "1"'],
  [{ op: 'commit', ...OF, size: 1 }, 'root: '],
  [{ op: 'events' }, 'client: '],
  [{ op: 'events', client: ID, lastEventId: 'x'.repeat(65) }, 'lastEventId: Invalid length: Expected <=64'],
])('the operation %j is refused, and where it is wrong is said: %s', (given, said) => {
  const error = refusal(() => parseOperation(given))
  expect(error.code).toBe('bad-message')
  expect(error.message).toContain(said)
})

test('a leaf has one spelling on the wire, as it has in the codec', () => {
  const other = `${'A'.repeat(42)}B`
  const error = refusal(() => parseOperation({ op: 'have', ...OF, blocks: [{ start: 0, leaf: other }] }))
  expect(error.message).toContain('blocks.0.leaf: a digest is 43 characters of base64url')
})

test(`no list of an operation is longer than ${MAX_ENTRIES}`, () => {
  const many = <T>(item: T, count: number) => Array.from({ length: count }, () => item)
  const lists = (count: number): [string, unknown][] => [
    ['changes', { op: 'plan', ...OF, changes: many({ session: ID, end: 0 }, count) }],
    ['claims', { op: 'claim', ...OF, claims: many({ session: ID, start: 0, leaves: [] }, count) }],
    ['claims.0.leaves', { op: 'claim', ...OF, claims: [{ session: ID, start: 0, leaves: many(LEAF, count) }] }],
    ['blocks', { op: 'have', ...OF, blocks: many({ start: 0, leaf: LEAF }, count) }],
  ]
  for (const [, request] of lists(MAX_ENTRIES)) expect(parseOperation(request)).toEqual(request)
  for (const [where, request] of lists(MAX_ENTRIES + 1)) {
    expect(refusal(() => parseOperation(request)).message).toBe(
      `${where}: Invalid length: Expected <=4096 but received 4097`,
    )
  }
})

test.each<[OperationName, unknown, string]>([
  ['status', {}, 'state: '],
  ['status', undefined, 'Expected Object but received undefined'],
  ['plan', { sessions: [{ session: ID, end: null, offset: 0, state: 'asleep' }] }, 'sessions.0.state: '],
  ['claim', { verified: [[0]], bad: [], superseded: [], conflict: [] }, 'verified.0.1: '],
  ['claim', { verified: [], attached: [[0, 0.5]], bad: [], superseded: [], conflict: [] }, 'attached.0.1: '],
  ['claim', { verified: [], bad: [[0, -1]], superseded: [], conflict: [] }, 'bad.0.1: '],
  ['have', { attached: [[0, 'x']] }, 'attached.0.1: Invalid type: Expected number but received "x"'],
  ['commit', { state: 'done' }, 'state: Invalid type: Expected ("committed" | "pulling" | "incomplete")'],
  ['commit', { state: 'pulling' }, 'missingBytes: '],
  ['terminate', { state: 'open' }, 'state: '],
])('the answer to %s of %j is refused, and where it is wrong is said: %s', (op, given, said) => {
  const error = refusal(() => parseAnswer(op, given))
  expect(error.code).toBe('bad-message')
  expect(error.message).toContain(said)
})

test.each([
  [null, 'Expected Object but received null'],
  [{}, 'type: '],
  [{ type: 'gossip' }, 'but received "gossip"'],
  [{ type: 'offset', group: ID, session: ID, offset: 1.5 }, 'offset: '],
  [{ type: 'verified', group: 'short', ranges: [] }, 'group: an id is 22 characters of base64url, not "short"'],
  [{ type: 'bad', group: ID, ranges: [[0, 1, 2], [1]] }, 'ranges.1.1: '],
  [{ type: 'load', load: Number.NaN }, 'load: '],
  [{ type: 'committed', group: ID }, 'url: '],
])('the event %j is refused, and where it is wrong is said: %s', (given, said) => {
  const error = refusal(() => parseServerEvent(given))
  expect(error.code).toBe('bad-message')
  expect(error.message).toContain(said)
})

test('a refusal stays short, however long what it quotes is', () => {
  const long = 'x'.repeat(100_000)
  for (const given of [
    { op: long },
    { op: 'status', ...OF, group: long },
    { op: 'events', client: ID, lastEventId: long },
  ])
    expect(refusal(() => parseOperation(given)).message.length).toBeLessThan(400)
})

test('whatever JSON arrives, the answer is an operation or a coded refusal', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('status', 'plan', 'claim', 'have', 'commit', 'events'), (value, op) => {
      const given = typeof value === 'object' && value !== null ? { ...OF, ...value, op } : value
      try {
        expect(parseOperation(given)).toMatchObject({ op })
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }),
  )
})
