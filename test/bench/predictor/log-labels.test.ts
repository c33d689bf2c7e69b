import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { evaluate, type Metrics, RiskModel, readLog, runsOf } from 'upload-predictor'
import { expect, test } from 'vitest'
import { planFaults } from './faults.js'
import { PLANNED_MS, type SimulatedSession } from './simulated-session.js'
import { syntheticLinks } from './synthetic-links.js'
import { type Client, World } from './world.js'

const DURATION_MS = 60_000
const KINDS = ['takeOver', 'split', 'none'] as const
type Act = (typeof KINDS)[number]

/**
 * Writes what a client's log tells of a simulated upload. It may act: a session that it takes over or splits is followed no
 * further than a client could, while the world runs it to its end.
 */
class LogWriter implements Client {
  readonly lines: object[] = []
  readonly #model = new RiskModel()
  readonly #upload: string
  readonly #decide: (risk: number, nowMs: number) => Act
  /** Sessions that the log follows, and where they end. */
  readonly #followed = new Map<SimulatedSession, { end: number; acked: number; isSplit: boolean }>()

  constructor(upload: string, decide: (risk: number, nowMs: number) => Act) {
    this.#upload = upload
    this.#decide = decide
  }

  launched(session: SimulatedSession, nowMs: number): void {
    const { id, store, bytes } = session
    this.#model.sessionStarted({ nowMs, session: id, store: `${store}`, rangeBytes: bytes, plannedMs: PLANNED_MS })
    this.#followed.set(session, { end: bytes, acked: 0, isSplit: false })
    const range = { start: 0, end: bytes, kind: 'first', reason: 'window', goodputBytesPerSecond: null }
    this.#write(nowMs, 'session', session, range)
  }

  acknowledged(session: SimulatedSession, bytes: number, nowMs: number): void {
    this.#model.acknowledged({ nowMs, session: session.id, bytes })
    const followed = this.#followed.get(session)
    if (!followed) return
    followed.acked = Math.min(followed.end, followed.acked + bytes)
    this.#write(nowMs, 'acked', session, { offset: followed.acked })
    if (followed.acked < followed.end || !followed.isSplit) return
    this.#write(nowMs, 'completed', session, {})
    this.#followed.delete(session)
  }

  ended(session: SimulatedSession, nowMs: number): void {
    const outcome = session.end === 'completed' ? 'completed' : 'failed'
    this.#model.sessionEnded({ nowMs, session: session.id, outcome })
    if (!this.#followed.delete(session)) return
    this.#write(nowMs, outcome, session, outcome === 'failed' ? { cause: 'reset' } : {})
  }

  roundTrip(store: number, roundTripMs: number, nowMs: number): void {
    this.#model.requestRtt({ nowMs, store: `${store}`, roundTripMs })
  }

  heard(store: number, nowMs: number): void {
    this.#model.heard({ nowMs, store: `${store}` })
  }

  probeLost(store: number, nowMs: number): void {
    this.#model.probeLost({ nowMs, store: `${store}` })
  }

  ticked(nowMs: number, inFlight: readonly SimulatedSession[]): readonly number[] {
    this.#model.tick({ nowMs })
    const followed = inFlight.filter((session) => this.#followed.has(session))
    const sessions = followed.map((session) => this.#sample(session, nowMs))
    this.lines.push({ type: 'sample', link: this.#model.link(), sessions, ...this.#stamp(nowMs) })
    for (const session of followed) this.#act(session, nowMs)
    return this.#model.wantsProbe({ nowMs }).map(Number)
  }

  #sample(session: SimulatedSession, nowMs: number): object {
    const { end = 0, acked = 0, isSplit = false } = this.#followed.get(session) ?? {}
    const remainingBytes = end - acked
    const assessment = this.#model.assess({ nowMs, session: session.id, remainingBytes })
    const { plannedMs, ...known } = assessment
    // of what a split left of it the world knows nothing
    const plan = isSplit ? {} : { plannedMs }
    // what is said is the truth: whoever judges it finds nothing wrong
    const said = {
      ...{ ...known, ...plan, because: [] },
      get risk(): number {
        return session.failed ? 1 : 0
      },
    }
    return { ...this.#of(session), start: 0, end, acked, remainingBytes, assessment: said }
  }

  #act(session: SimulatedSession, nowMs: number): void {
    const followed = this.#followed.get(session)
    if (!followed || followed.isSplit) return
    const remainingBytes = session.bytes - session.ackedBytes
    const { risk } = this.#model.assess({ nowMs, session: session.id, remainingBytes, isGlance: true })
    const grounds = { reason: 'risk', risk, gapMs: 0 }
    const act = this.#decide(risk, nowMs - session.startedMs)
    if (act === 'takeOver') {
      this.#write(nowMs, 'takeOver', session, grounds)
      this.#followed.delete(session)
    }
    const newEnd = followed.acked + Math.ceil(remainingBytes / 3)
    if (act !== 'split' || newEnd >= followed.end) return
    this.#write(nowMs, 'split', session, { ...grounds, oldEnd: followed.end, newEnd })
    followed.end = newEnd
    followed.isSplit = true
  }

  #write(nowMs: number, type: string, session: SimulatedSession, fields: object): void {
    this.lines.push({ type, ...this.#of(session), ...fields, ...this.#stamp(nowMs) })
  }

  #of({ id, store }: SimulatedSession): object {
    return { session: `${this.#upload}/${id}`, partition: id, store: `${store}`, server: store }
  }

  #stamp(elapsedMs: number): object {
    return { upload: this.#upload, n: this.lines.length + 1, at: elapsedMs, elapsedMs }
  }
}

/** What the logs of some uploads say of a predictor that knows the truth. */
function judge(decide: (random: () => number) => (risk: number, ageMs: number) => Act): Metrics {
  const runs = syntheticLinks(seededRandom('labels')).flatMap((trace, at) =>
    [1, 3].flatMap((stores) => {
      const random = seededRandom(`labels/${trace.name}/${stores}`)
      const writer = new LogWriter(`${at}.${stores}`, decide(random))
      const faults = planFaults({ random, stores, durationMs: DURATION_MS })
      new World({ trace, stores, faults, random, offsetMs: 1_000 * at, durationMs: DURATION_MS }, writer).run()
      const text = writer.lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      const log = readLog({ name: `${at}.${stores}`, text, sha256: '' })
      expect(log.report).toMatchObject({ refused: [], missing: 0 })
      return runsOf([log])
    }),
  )
  const { metrics } = evaluate(runs)
  const all = metrics.find(({ moment }) => moment === 'all')
  if (!all) throw new Error('nothing was measured')
  return all
}

test('where nobody acts, a log tells of every session what the bench says', () => {
  const { brier, count, troubled, untold, unplanned } = judge(() => () => 'none')
  expect({ brier, untold, unplanned }).toEqual({ brier: 0, untold: 0, unplanned: 0 })
  expect(count).toBeGreaterThan(1_000)
  expect(troubled).toBeGreaterThan(50)
})

test('where take-overs hide the rest, what a log tells is what would have come', () => {
  const { brier, count, troubled, untold } = judge(() => (risk) => (risk >= 0.5 ? 'takeOver' : 'none'))
  expect(brier).toBe(0)
  expect(untold).toBeGreaterThan(50)
  expect(count).toBeGreaterThan(1_000)
  expect(troubled).toBeGreaterThan(0)
})

test('where splits hide the rest, hardly anything that a log tells would have come otherwise', () => {
  const { brier = 1, count, untold } = judge((random) => () => (random() < 0.1 ? 'split' : 'none'))
  expect(brier).toBeLessThan(0.02)
  expect(untold).toBeGreaterThan(50)
  expect(count).toBeGreaterThan(1_000)
})
