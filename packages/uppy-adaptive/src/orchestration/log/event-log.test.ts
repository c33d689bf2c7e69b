import { readFileSync } from 'node:fs'
import { type RiskAssessment, RiskModel, readLog } from 'upload-predictor'
import { expect, test, vi } from 'vitest'
import { EventLog, type LoggedEvent, type UploadEvent } from './event-log.js'

/** A clock that goes on by 10.25 ms with every look. */
function create(onListenerError: (error: unknown) => void = () => {}) {
  let nowMs = 500
  const now = () => {
    nowMs += 10.25
    return nowMs
  }
  return new EventLog({ clock: { now, epochMs: () => 1_700_000_000_000 }, upload: 'u', onListenerError })
}

test('an event is kept with its upload, its number, and its time in whole ms since the first', () => {
  const log = create()
  log.emit({ type: 'paused' })
  log.emit({ type: 'localPause', gapMs: 7 })
  log.emit({ type: 'resumed' }, 600.9)
  const at = 1_700_000_000_000
  expect(log.events()).toEqual([
    { type: 'paused', upload: 'u', n: 1, at, elapsedMs: 0 },
    { type: 'localPause', gapMs: 7, upload: 'u', n: 2, at, elapsedMs: 10 },
    { type: 'resumed', upload: 'u', n: 3, at, elapsedMs: 90 },
  ])
})

test('everybody who listens hears every event, in order, until they stop', () => {
  const log = create()
  const [a, b] = [vi.fn<(event: LoggedEvent) => void>(), vi.fn<(event: LoggedEvent) => void>()]
  log.emit({ type: 'committing' })
  const stop = log.subscribe(a)
  log.subscribe(b)
  log.emit({ type: 'paused' })
  stop()
  log.emit({ type: 'resumed' })
  expect(a.mock.calls.map(([{ type }]) => type)).toEqual(['paused'])
  expect(b.mock.calls.map(([{ type }]) => type)).toEqual(['paused', 'resumed'])
  expect(b.mock.calls.map(([event]) => event)).toEqual(log.events().slice(1))
})

test('a listener that throws stops neither the upload nor the others, and its error stays visible', () => {
  const shown: unknown[] = []
  const log = create((error) => shown.push(error))
  const heard = vi.fn()
  log.subscribe(() => {
    throw new Error('the application failed')
  })
  log.subscribe(heard)
  log.emit({ type: 'paused' })
  expect(heard).toHaveBeenCalledOnce()
  expect(shown).toEqual([new Error('the application failed')])
})

test('a listener may stop itself while it is called', () => {
  const log = create()
  const heard = vi.fn()
  const stop = log.subscribe(() => stop())
  log.subscribe(heard)
  log.emit({ type: 'paused' })
  log.emit({ type: 'resumed' })
  expect(heard).toHaveBeenCalledTimes(2)
})

test('of each kind the last are kept, so that what comes often pushes out nothing rare, and the text says what is gone', () => {
  const log = create()
  log.emit({ type: 'started', group: 'g', sizeBytes: 9, resumed: false })
  for (let i = 0; i < 10_005; i++) log.emit({ type: 'acked', ...of, offset: i })
  log.emit({ type: 'committing' })
  const events = log.events()
  expect(events).toHaveLength(10_002)
  expect(events[0]).toMatchObject({ type: 'started', n: 1 })
  expect(events[1]).toMatchObject({ type: 'acked', offset: 5 })
  expect(events.at(-1)).toMatchObject({ type: 'committing', n: 10_007 })
  expect(JSON.parse(log.toNdjson().split('\n')[0] ?? '')).toMatchObject({ type: 'dropped', counts: { acked: 5 }, n: 0 })
})

test('progress is told and not kept: acknowledgements and samples say more', () => {
  const log = create()
  const heard = vi.fn()
  log.subscribe(heard)
  log.emit({ type: 'progress', ackedBytes: 1, totalBytes: 2, bytesPerSecond: null, remainingMs: null })
  log.emit({ type: 'paused' })
  expect(heard.mock.calls.map(([{ type, n }]) => [type, n])).toEqual([
    ['progress', 0],
    ['paused', 1],
  ])
  expect(log.events().map(({ type }) => type)).toEqual(['paused'])
})

test('no text is longer than 300 characters, and of an address only its path is kept', () => {
  const log = create()
  const endpoint = 'https://user:secret@up.test/files?token=secret#secret'
  log.emit({ type: 'warning', code: 'same-store', message: `${endpoint}: ${'x'.repeat(1_000)}`, endpoint })
  const [event] = log.events()
  expect(event).toMatchObject({ endpoint: 'https://up.test/files' })
  expect(JSON.stringify(event)).not.toContain('secret')
  expect(event?.type === 'warning' && event.message.length).toBe(300)
})

test('as text, each event is one line of JSON', () => {
  const log = create()
  expect(log.toNdjson()).toBe('')
  log.emit({ type: 'warning', code: 'same-store', message: 'two\nlines' })
  log.emit({ type: 'paused' })
  const text = log.toNdjson()
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(log.events())
})

const assessment: RiskAssessment = {
  ...{ risk: 0.5, link: 0.1, server: 0.4, connection: 0, straggle: 0, late: 0, phi: 1, gapMs: 300, horizonMs: 1_000 },
  calibrated: { risk: 0.4, link: 0.1, server: 0.3, straggle: 0 },
  ...{ rateBytesPerSecond: 1e6, expectedRateBytesPerSecond: 1e6, expectedRemainingMs: 500, plannedMs: 900 },
  split: { link: 0.1, server: 0.3, connection: 0, straggle: 0, open: 0.1 },
  usualLogOdds: -3,
  because: [{ factor: 'silence', weight: 3, text: 'silent' }],
  blame: [{ cause: 'server', factor: 'serverSilent', weight: 0.4, text: 'silent' }],
}
const of = { session: 's', partition: 'p', store: 'a', server: 0 }
const range = { start: 0, end: 9 }
const { link, server, connection, straggle, late, phi, because, split, usualLogOdds, blame } = assessment
const alternatives = [{ store: 'b', expectedMs: 200 }]
const reasons = { usualLogOdds, because, blame }
const known = { split, link, server, connection, straggle, late, phi, ...reasons, alternatives, expectedMs: 500 }
const gain = { pServer: 0.9, savedMs: 7_000, costMs: 3_000, worth: 0.95 }
const grounds = { risk: 0.5, gapMs: 300, known }
const EVERY_EVENT: { readonly [Type in UploadEvent['type']]: Extract<UploadEvent, { type: Type }> } = {
  started: { type: 'started', group: 'g', sizeBytes: 9, resumed: false },
  server: {
    ...{ type: 'server', endpoint: 'https://a', server: 0, store: 'a', state: 'suspect', reason: 'silent' },
    quarantineMs: 1_000,
  },
  warning: { type: 'warning', code: 'same-store', message: 'same-store', endpoint: 'https://a' },
  following: { type: 'following' },
  asleep: { type: 'asleep', reason: 'freeze' },
  awake: { type: 'awake', gapMs: 5_000 },
  session: {
    type: 'session',
    ...of,
    ...range,
    kind: 'first',
    reason: 'w',
    windowMs: 1,
    goodputBytesPerSecond: null,
    plannedMs: 7,
  },
  concurrency: {
    ...{
      type: 'concurrency',
      kind: 'keep',
      limit: 2,
      reason: 'pays',
      beforeBytesPerSecond: 1e5,
      afterBytesPerSecond: 2e5,
    },
    paths: [{ store: 'a', leastMs: 40, middleMs: 41 }],
  },
  split: { type: 'split', ...of, oldEnd: 9, newEnd: 5, reason: 'slow', ...grounds },
  takeOver: { type: 'takeOver', ...of, range, reason: 'silent', ...grounds },
  copy: { type: 'copy', ...of, of: 's', from: 1, range, reason: 'silent', gain, ...grounds },
  withheld: { type: 'withheld', ...of, code: 'budget', reason: 'spent', gain, ...grounds },
  reconnect: { type: 'reconnect', ...of, reason: 'silent', remedy: 'otherRoute', endpoint: 'https://a', ...grounds },
  waiting: { type: 'waiting', ...of, cause: '503', delayMs: 500 },
  shrunk: { type: 'shrunk', ...of, maxBodyBytes: 1e6 },
  cut: { type: 'cut', ...of, cause: 'reset', attempt: 1 },
  acked: { type: 'acked', ...of, offset: 9, appLimited: true, estimated: true },
  completed: { type: 'completed', ...of, ...range, kind: 'first' },
  superseded: { type: 'superseded', ...of, via: 'client', by: null },
  failed: { type: 'failed', ...of, cause: '413' },
  terminated: {
    ...{ type: 'terminated', session: 's', store: 'a', reason: 'superseded' },
    ...{ outcome: 'confirmed', tries: 1, waitMs: 30 },
  },
  route: { type: 'route', server: 0, store: 'a', from: 'https://a', endpoint: 'https://b' },
  plain: { type: 'plain', endpoint: 'https://a', sizeBytes: 9 },
  commitAnswer: { type: 'commitAnswer', state: 'pulling', missingBytes: 9, reason: 'it pulls blocks still' },
  verified: { type: 'verified', ranges: [range], via: 'event' },
  bad: { type: 'bad', ranges: [range], store: 'a' },
  resent: { type: 'resent', ranges: [range], reason: 'bad' },
  relayed: { type: 'relayed', operation: 'plan', store: 'a', through: 'https://a' },
  progress: { type: 'progress', ackedBytes: 0, totalBytes: 9, bytesPerSecond: 5, remainingMs: { least: 1, most: 2 } },
  localPause: { type: 'localPause', gapMs: 7 },
  recalled: { type: 'recalled', state: new RiskModel().toJSON(), ageMs: 9, priors: null },
  heard: { type: 'heard', store: 'a' },
  roundTrip: { type: 'roundTrip', store: 'a', operation: 'claim', roundTripMs: 12.5 },
  probesWanted: { type: 'probesWanted', stores: ['a'] },
  probeLost: { type: 'probeLost', store: 'a' },
  load: { type: 'load', store: 'a', load: 0.5, session: 's' },
  ended: { type: 'ended', session: 's', outcome: 'failed', failure: 'timeout' },
  busy: { type: 'busy', store: 'a', retryAfterMs: 1_000, session: 's' },
  sample: {
    ...{ type: 'sample', ackedBytes: 0, verifiedBytes: 0, goodputBytesPerSecond: null },
    link: { pGood: 0.9, pBad: 0.1, pOutage: 0, phi: 0 },
    sessions: [{ ...of, ...range, acked: 0, kind: 'first', remainingBytes: 9, assessment }],
  },
  committing: { type: 'committing' },
  homeMoved: { type: 'homeMoved', server: 1, store: 'b', from: 'a', endpoint: 'https://b', waitedMs: 9 },
  committed: { type: 'committed', url: 'https://a/f', waitMs: 1, pullWaitMs: 0, pulledAtCommit: 0, pulledEarly: 0 },
  uploaded: { type: 'uploaded', url: 'https://a/f' },
  paused: { type: 'paused' },
  resumed: { type: 'resumed' },
  cancelled: { type: 'cancelled' },
  error: { type: 'error', code: 'refused', message: 'no' },
}

const DOCUMENT = readFileSync(new URL('../../../../../docs/events.md', import.meta.url), 'utf8')
const ROWS = [...DOCUMENT.matchAll(/^\| `(\w+)` +\| [^|]+ \| ([^|]+) \|$/gm)].map(([, type = '', cell = '']) => {
  const names = cell.replace('_s_', '`session` `partition` `store` `server`').replace('_g_', '`risk` `gapMs` `known`')
  return { type, fields: [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort() }
})

test('docs/events.md tells of every event, with its fields', () => {
  const events = Object.values(EVERY_EVENT).map(({ type, ...fields }) => ({ type, fields: Object.keys(fields).sort() }))
  const byType = (a: { type: string }, b: { type: string }) => a.type.localeCompare(b.type)
  expect([...ROWS].sort(byType)).toEqual(events.sort(byType))
  for (const part of Object.keys(known)) expect(DOCUMENT).toContain(`\`${part}\``)
})

test('the predictor reads of a stream, whose size nobody knows', () => {
  const log = create()
  log.emit({ type: 'plain', endpoint: 'https://a', sizeBytes: null })
  expect(readLog({ name: 'stream', text: log.toNdjson(), sha256: '' }).report.refused).toEqual([])
})

test('the predictor learns from these lines: it reads every event that there is', () => {
  const log = create()
  for (const event of Object.values(EVERY_EVENT)) log.emit(event)
  const { report } = readLog({ name: 'all', text: log.toNdjson(), sha256: '' })
  expect(report.refused).toEqual([])
  // progress is not kept
  expect(report.lines).toBe(Object.keys(EVERY_EVENT).length - 1)
})
