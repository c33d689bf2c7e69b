import { expect, test } from 'vitest'
import { RiskModel } from '../risk.js'
import { runsOf } from './collect-runs.js'
import { readLog } from './read-log.js'
import { replay } from './replay.js'

/** The log of an engine that tells a model of two sessions; 'b' falls silent after 3 s. */
function written(upload: string, model = new RiskModel()) {
  const lines: object[] = []
  const stamp = (elapsedMs: number) => ({ upload, n: lines.length + 1, at: 1e12 + elapsedMs, elapsedMs })
  const log = (elapsedMs: number, event: object) => lines.push({ ...event, ...stamp(elapsedMs) })
  const of = (session: string) => ({ session, partition: 'p', store: session, server: 0 })
  const range = { start: 0, end: 1e7, kind: 'first', reason: 'initial', goodputBytesPerSecond: null }
  for (const session of ['a', 'b']) {
    model.sessionStarted({ nowMs: 0, session, store: session, rangeBytes: 1e7 })
    log(0, { type: 'session', ...of(session), ...range })
  }
  const offsets: Record<string, number> = { a: 0, b: 0 }
  for (let nowMs = 50; nowMs <= 5_000; nowMs += 50) {
    for (const session of nowMs > 3_000 ? ['a'] : ['a', 'b']) {
      const offset = (offsets[session] ?? 0) + 50_000
      offsets[session] = offset
      model.acknowledged({ nowMs, session, bytes: 50_000 })
      log(nowMs, { type: 'acked', ...of(session), offset })
    }
    if (nowMs % 1_000 === 0) {
      model.requestRtt({ nowMs, store: 'b', roundTripMs: 30 })
      log(nowMs, { type: 'roundTrip', store: 'b', roundTripMs: 30, operation: 'claim' })
    }
    if (nowMs % 250 > 0) continue
    model.tick({ nowMs })
    const sessions = ['a', 'b'].map((session) => {
      const remainingBytes = 1e7 - (offsets[session] ?? 0)
      const assessment = model.assess({ nowMs, session, remainingBytes })
      return { ...of(session), ...range, acked: offsets[session], remainingBytes, assessment }
    })
    log(nowMs, { type: 'sample', link: model.link(), sessions })
  }
  return lines
}

const read = (lines: readonly object[]) =>
  readLog({ name: 'l', text: lines.map((line) => `${JSON.stringify(line)}\n`).join(''), sha256: '' })

test('a fresh model that is told the log says what the first one said', () => {
  const { events } = read(written('u'))
  const again = replay(events)
  expect(again).toMatchObject({ assessed: 40, left: 0 })
  expect(again.events).toEqual(events)
})

test('uploads that are mixed in one log, and events out of order, are told each to its own model, in order', () => {
  const [one, two] = [written('one'), written('two', new RiskModel({ maxHorizonMs: 5_000 }))]
  const mixed = one.flatMap((line, i) => [two[i] ?? line, line]).reverse()
  const log = read(mixed)
  const { events } = log
  const again = replay(events)
  expect(again.assessed).toBe(80)
  const of = (upload: string) => again.events.filter((event) => event.upload === upload).reverse()
  expect(of('one')).toEqual(read(one).events)
  expect(runsOf([log]).map(({ sessions }) => sessions.size)).toEqual([2, 2])
})

test('what the first model remembered stands in the log: the other starts from it', () => {
  const before = new RiskModel()
  before.sessionStarted({ nowMs: 0, session: 'a', store: 'a', rangeBytes: 1e6 })
  before.sessionEnded({ nowMs: 9_000, session: 'a', outcome: 'failed', failure: 'serverError' })
  const state = before.toJSON()
  const lines = written('u', RiskModel.fromJSON(state, { nowMs: 0, ageMs: 60_000 }))
  const recalled = { type: 'recalled', state, ageMs: 60_000, priors: null, upload: 'u', n: 1, at: 1e12, elapsedMs: 0 }
  const { events } = read([recalled, ...lines.map((line) => ({ ...line, n: 1 + (line as { n: number }).n }))])
  expect(replay(events).events).toEqual(events)
  expect(replay(events.slice(1)).events).not.toEqual(events.slice(1))
  const damaged = events.map((event) => (event.type === 'recalled' ? { ...event, state: { format: 'other' } } : event))
  expect(replay(damaged).events.slice(1)).toEqual(replay(events.slice(1)).events)
})

test('another model says something else', () => {
  const { events } = read(written('u'))
  const again = replay(events, () => new RiskModel({ maxHorizonMs: 1_000 }))
  expect(again.events).not.toEqual(events)
})

test('sessions whose start is not in the log keep what was said; what is missing is counted', () => {
  const log = read(written('u').slice(1))
  expect(log.report.missing).toBe(1)
  const again = replay(log.events)
  expect(again).toMatchObject({ assessed: 20, left: 20 })
})

test('events without numbers, of an older version, tell nothing', () => {
  const { events } = read(written('u').map(({ n: _, ...line }: { n?: number }) => line))
  expect(replay(events)).toMatchObject({ assessed: 0, events })
})

test('what the model recalled, and acknowledgements whose pace was not the path’s, are told again', () => {
  const before = new RiskModel()
  before.requestRtt({ nowMs: 0, store: 'a', roundTripMs: 800 })
  const state = before.toJSON()
  const priors = { gaps: { meanLog: 7, sigma: 0.5 } }
  const model = RiskModel.fromJSON(state, { nowMs: 0, ageMs: 60_000, options: { priors } })
  const [first = {}, ...lines] = written('u', model)
  const recalled = { type: 'recalled', state, ageMs: 60_000, priors, upload: 'u', n: 0.5, at: 1e12, elapsedMs: 0 }
  const { events, report } = read([recalled, first, ...lines])
  expect(report.refused).toEqual([])
  expect(replay(events).events).toEqual(events)
  const without = events.filter(({ type }) => type !== 'recalled')
  expect(replay(without).events).not.toEqual(without)
  const limited = events.map((event) => (event.type === 'acked' ? { ...event, appLimited: true } : event))
  expect(replay(limited).events).not.toEqual(limited)
})

test('sessions that were in flight when another model took over keep what was said', () => {
  const lines = written('u').map((line) => ({ ...line, note: 'of no model' }))
  const at = lines.findIndex((line) => (line as { type?: string }).type === 'sample') + 1
  const recalled = {
    type: 'recalled',
    state: { format: 'other' },
    ageMs: 0,
    priors: null,
    upload: 'u',
    at: 1e12,
    elapsedMs: 250,
  }
  const all = [...lines.slice(0, at), recalled, ...lines.slice(at)].map((line, i) => ({ ...line, n: i + 1 }))
  expect(replay(read(all).events)).toMatchObject({ assessed: 2, left: 38 })
})
