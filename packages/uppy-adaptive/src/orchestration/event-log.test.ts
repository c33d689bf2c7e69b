import { type RiskAssessment, readLog } from 'upload-predictor'
import { expect, test, vi } from 'vitest'
import { EventLog, type LoggedEvent, type UploadEvent } from './event-log.js'

function create(onListenerError: (error: unknown) => void = () => {}) {
  let elapsedMs = 0
  return new EventLog(() => {
    elapsedMs += 10
    return { at: 1_700_000_000_000 + elapsedMs, elapsedMs }
  }, onListenerError)
}

test('an event is kept with the time at which it was logged', () => {
  const log = create()
  log.emit({ type: 'paused' })
  log.emit({ type: 'localPause', gapMs: 7 })
  expect(log.events()).toEqual([
    { type: 'paused', at: 1_700_000_000_010, elapsedMs: 10 },
    { type: 'localPause', gapMs: 7, at: 1_700_000_000_020, elapsedMs: 20 },
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

test('the last ten thousand events are kept, the oldest go', () => {
  const log = create()
  for (let gapMs = 0; gapMs < 10_005; gapMs++) log.emit({ type: 'localPause', gapMs })
  expect(log.events()).toHaveLength(10_000)
  expect(log.events()[0]).toMatchObject({ gapMs: 5 })
  expect(log.events().at(-1)).toMatchObject({ gapMs: 10_004 })
})

test('as text, each event is one line of JSON', () => {
  const log = create()
  expect(log.toNdjson()).toBe('')
  log.emit({ type: 'warning', code: 'odd', message: 'two\nlines' })
  log.emit({ type: 'paused' })
  const text = log.toNdjson()
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(log.events())
})

const assessment: RiskAssessment = {
  ...{ risk: 0.5, link: 0.1, server: 0.4, connection: 0, straggle: 0, late: 0, phi: 1, gapMs: 300, horizonMs: 1_000 },
  calibrated: { risk: 0.4, link: 0.1, server: 0.3, straggle: 0 },
  ...{ rateBytesPerSecond: 1e6, expectedRateBytesPerSecond: 1e6, expectedRemainingMs: 500 },
  because: [{ factor: 'slow', weight: 0.4, text: 'slow' }],
}
const of = { session: 's', partition: 'p', store: 'a', server: 0 }
const range = { start: 0, end: 9 }
const because = assessment.because
const EVERY_EVENT: { readonly [Type in UploadEvent['type']]: Extract<UploadEvent, { type: Type }> } = {
  started: { type: 'started', group: 'g', sizeBytes: 9, resumed: false },
  server: { type: 'server', endpoint: 'https://a', server: 0, store: 'a', state: 'ready', reason: 'answered' },
  warning: { type: 'warning', code: 'odd', message: 'odd' },
  session: { type: 'session', ...of, ...range, kind: 'first', reason: 'w', windowMs: 1, goodputBytesPerSecond: null },
  split: { type: 'split', ...of, oldEnd: 9, newEnd: 5, reason: 'slow', risk: 0.5 },
  takeOver: { type: 'takeOver', ...of, range, reason: 'silent', risk: 0.5, gapMs: 300 },
  copy: { type: 'copy', ...of, of: 's', from: 1, range, reason: 'silent', risk: 0.5, gapMs: 300, because },
  reconnect: { type: 'reconnect', ...of, reason: 'silent', remedy: 'otherRoute', endpoint: 'https://a' },
  cut: { type: 'cut', ...of, cause: 'reset', attempt: 1 },
  acked: { type: 'acked', ...of, offset: 9 },
  completed: { type: 'completed', ...of, ...range, kind: 'first' },
  superseded: { type: 'superseded', ...of, via: 'client', by: null },
  failed: { type: 'failed', ...of, cause: '413' },
  verified: { type: 'verified', ranges: [range], via: 'event' },
  bad: { type: 'bad', ranges: [range], store: 'a' },
  resent: { type: 'resent', ranges: [range], reason: 'bad' },
  relayed: { type: 'relayed', operation: 'plan', store: 'a', through: 'https://a' },
  progress: { type: 'progress', ackedBytes: 0, totalBytes: 9 },
  localPause: { type: 'localPause', gapMs: 7 },
  sample: {
    ...{ type: 'sample', ackedBytes: 0, verifiedBytes: 0, goodputBytesPerSecond: null },
    link: { pGood: 0.9, pBad: 0.1, pOutage: 0, phi: 0 },
    sessions: [{ ...of, ...range, acked: 0, kind: 'first', assessment }],
  },
  committing: { type: 'committing' },
  committed: { type: 'committed', url: 'https://a/f', waitMs: 1, pullWaitMs: 0, pulledAtCommit: 0, pulledEarly: 0 },
  paused: { type: 'paused' },
  resumed: { type: 'resumed' },
  cancelled: { type: 'cancelled' },
  error: { type: 'error', code: 'refused', message: 'no' },
}

test('the predictor learns from these lines: it reads every event that there is', () => {
  const log = create()
  for (const event of Object.values(EVERY_EVENT)) log.emit(event)
  const { report } = readLog({ name: 'all', text: log.toNdjson(), sha256: '' })
  expect(report.refused).toEqual([])
  expect(report.lines).toBe(Object.keys(EVERY_EVENT).length)
})
