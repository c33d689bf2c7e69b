import { quote } from '../predictor-error.js'
import type { LogEvent } from './log-event.js'

/** Why a line is not used. */
export type Refusal =
  /** No JSON: the last line of a log whose writer was stopped. */
  | 'truncated'
  /** No JSON object. */
  | 'notJson'
  /** An object, and no event of an upload or a session. */
  | 'foreign'
  /** An event of a known type that lacks a field, or has one that cannot be. */
  | 'damaged'
  /** The same line stands before it. */
  | 'repeated'

export type ReadLine =
  | { readonly event: LogEvent }
  /** A sound event of which nothing is learned. */
  | { readonly unused: string; readonly upload?: unknown; readonly n?: unknown }
  | { readonly refused: Exclude<Refusal, 'repeated' | 'truncated'>; readonly why: string }

type Json = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean

const text: Check = (value) => typeof value === 'string' && value.length > 0
const amount: Check = (value) => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const amountOrNull: Check = (value) => value === null || amount(value)
/** No page uploads for longer than thirty days on end: a number beyond is a damaged one. */
const elapsed: Check = (value) => amount(value) && (value as number) <= 30 * 86_400_000
const share: Check = (value) => amount(value) && (value as number) <= 1
/** Of a session: 0 would be twice over before it began. */
const plan: Check = (value) => elapsed(value) && (value as number) > 0
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string)
const listOf =
  (fields: Fields): Check =>
  (value) =>
    Array.isArray(value) && value.every((item) => isObject(item) && missing(item, fields) === undefined)
const objectOf =
  (fields: Fields): Check =>
  (value) =>
    isObject(value) && missing(value, fields) === undefined

type Fields = Readonly<Record<string, Check>>

const OF_SESSION: Fields = { session: text, partition: text, store: text, server: amount }
const BECAUSE = listOf({ factor: text, weight: (value) => typeof value === 'number' && Number.isFinite(value), text })
const BLAMED: Fields = {
  split: optional(objectOf({ link: share, server: share, connection: share, straggle: share, open: share })),
  blame: optional(listOf({ cause: text, factor: text, weight: share, text })),
  usualLogOdds: optional((value) => typeof value === 'number' && Number.isFinite(value)),
}
const ASSESSMENT = objectOf({
  ...BLAMED,
  risk: share,
  link: share,
  server: share,
  straggle: share,
  gapMs: amount,
  expectedRateBytesPerSecond: amount,
  expectedRemainingMs: amount,
  horizonMs: amount,
  plannedMs: optional(plan),
  because: BECAUSE,
})
const flag: Check = (value) => typeof value === 'boolean'
const objectOrNull: Check = (value) => value === null || isObject(value)
const OUTCOME = oneOf('completed', 'failed', 'superseded', 'cancelled', 'takenOver')
const FAILURE = oneOf('connection', 'timeout', 'serverError', 'load', 'configuration')
const KNOWN = objectOf({
  ...BLAMED,
  ...{
    link: share,
    server: share,
    connection: optional(share),
    straggle: share,
    late: share,
    phi: amount,
    expectedMs: amount,
    because: BECAUSE,
  },
  alternatives: listOf({ store: text, expectedMs: amount }),
})
const KIND = oneOf('first', 'takeOver', 'copy')

/** Of the events that are used: the fields that are. */
const USED: Readonly<Record<Exclude<LogEvent['type'], 'atServer'>, Fields>> = {
  started: { group: text, sizeBytes: amount },
  plain: { sizeBytes: amountOrNull },
  server: { server: amount, store: text, state: text },
  session: {
    ...OF_SESSION,
    kind: KIND,
    start: amount,
    end: amount,
    reason: text,
    goodputBytesPerSecond: amountOrNull,
    plannedMs: optional((value) => value === null || plan(value)),
  },
  split: { ...OF_SESSION, oldEnd: amount, newEnd: amount, reason: text, risk: share, known: optional(KNOWN) },
  takeOver: { ...OF_SESSION, reason: text, risk: share, gapMs: amount, known: optional(KNOWN) },
  copy: {
    ...OF_SESSION,
    of: text,
    from: amount,
    reason: text,
    risk: share,
    gapMs: amount,
    because: optional(BECAUSE),
    known: optional(KNOWN),
  },
  withheld: { ...OF_SESSION, code: text, reason: text, risk: share, gapMs: amount, known: KNOWN },
  acked: { ...OF_SESSION, offset: amount, appLimited: optional(flag), estimated: optional(flag) },
  recalled: { state: objectOrNull, ageMs: amount, priors: objectOrNull },
  completed: OF_SESSION,
  superseded: OF_SESSION,
  failed: { ...OF_SESSION, cause: text },
  localPause: { gapMs: amount },
  heard: { store: text },
  roundTrip: { store: text, roundTripMs: amount },
  probesWanted: { stores: (value) => Array.isArray(value) && value.every(text) },
  probeLost: { store: text },
  load: { store: text, load: share, session: optional(text) },
  busy: { store: text, retryAfterMs: optional(amount), session: optional(text) },
  ended: { session: text, outcome: OUTCOME, failure: optional(FAILURE) },
  dropped: { counts: (value) => isObject(value) && Object.values(value).every(amount) },
  paused: {},
  resumed: {},
  following: {},
  asleep: {},
  awake: { gapMs: amount },
  sample: {
    link: objectOf({ pGood: share }),
    sessions: listOf({
      ...OF_SESSION,
      start: amount,
      end: amount,
      acked: amount,
      remainingBytes: optional(amount),
      assessment: ASSESSMENT,
    }),
  },
  committed: {},
  uploaded: {},
  cancelled: {},
  error: { code: text },
  script: { text },
}
const UNUSED: ReadonlySet<unknown> = new Set([
  'warning',
  'concurrency',
  'reconnect',
  'cut',
  'verified',
  'waiting',
  'shrunk',
  'terminated',
  'route',
  'commitAnswer',
  'bad',
  'resent',
  'relayed',
  'progress',
  'committing',
  'homeMoved',
])

const AT_SERVER: Fields = {
  time: amount,
  group: text,
  session: text,
  partition: text,
  store: text,
  start: amount,
  end: amount,
  offset: amount,
}
const SESSION_MESSAGE = /^session (opened|completed|superseded|terminated|expired)$/

/** One line of an event log of the client's (as the demo writes it), or of a server's log in JSON. Never throws. */
export function readLine(line: string): ReadLine {
  const value = parse(line)
  if (!isObject(value)) return { refused: 'notJson', why: 'is no JSON object' }
  if (typeof value.msg === 'string' && typeof value.level === 'number') return readServerLine(value, value.msg)
  const { type } = value
  if (UNUSED.has(type)) return { unused: String(type), upload: value.upload, n: value.n }
  if (typeof type !== 'string' || !Object.hasOwn(USED, type)) {
    return { refused: 'foreign', why: 'is JSON, but no event of an upload' }
  }
  // the demo's script knows the wall clock alone
  const time: Fields =
    type === 'script' ? { at: amount } : { at: amount, elapsedMs: elapsed, upload: optional(text), n: optional(amount) }
  const wrong = missing(value, { ...time, ...USED[type as keyof typeof USED] })
  if (wrong !== undefined) return damaged(type, wrong, value)
  if (hasInvertedRange(value)) return damaged(type, 'end', value)
  return { event: { elapsedMs: 0, ...value } as unknown as LogEvent }
}

function readServerLine(value: Json, message: string): ReadLine {
  const what = SESSION_MESSAGE.exec(message)?.[1]
  if (what === undefined) return { unused: message }
  const wrong = missing(value, AT_SERVER) ?? (hasInvertedRange(value) ? 'end' : undefined)
  if (wrong !== undefined) return damaged(message, wrong, value)
  const { time, group, session, partition, store, start, end, offset } = value
  const event = { type: 'atServer', at: time, elapsedMs: 0, what, group, session, partition, store, start, end, offset }
  return { event: event as unknown as LogEvent }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first field that is not as it must be. */
function missing(value: Json, fields: Fields): string | undefined {
  return Object.keys(fields).find((name) => !fields[name]?.(value[name]))
}

function hasInvertedRange({ start, end }: Json): boolean {
  return typeof start === 'number' && typeof end === 'number' && end < start
}

/** Quotes the value, shortened: a log may hold anything. */
function damaged(type: string, field: string, value: Json): ReadLine {
  return { refused: 'damaged', why: `${type}: ${field} is ${quote(value[field], 40)}` }
}
