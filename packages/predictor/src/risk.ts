import { estimateRemainingMs } from './completion-time.js'
import { Fleet } from './fleet.js'
import { LinkWatch } from './link-watch.js'
import { decodeModel, encodeModel, type ModelMemory, type RestoreOptions, type RiskModelState } from './model-state.js'
import { MonotoneTime } from './monotone-time.js'
import { type RiskModelOptions, type RiskModelSetup, resolveOptions } from './options.js'
import { type FailureKind, isAnswered, OutcomeLedger, type SessionOutcome } from './outcome-ledger.js'
import { PredictorError, requireInput } from './predictor-error.js'
import { startingPoint } from './priors.js'
import { chooseProbes } from './probe-choice.js'
import { Recalibration } from './recalibration.js'
import { assessRisk, type RiskAssessment } from './risk-assessment.js'
import { loadPressure, requireLoad } from './server-load.js'
import { SessionRecord } from './session-record.js'
import type { StoreView } from './store-record.js'

export type SessionKey = string
export type StoreKey = string

/** Guess: the shortest horizon. */
const MIN_HORIZON_MS = 1_000
/** Guess: expected where nothing at all is known, 1 Mbit/s. */
const COLD_BYTES_PER_SECOND = 125_000
/** Guess: a session taken over counts as half a failure of its store from this risk on. */
const BLAME_FROM = 0.3

/**
 * P(session fails or straggles), told apart into the link that all share and the server that one has.
 * Sources: METHODS, findings 1 and 3, and Risk. Pure: time comes in with every call, from any monotone clock in ms.
 * Hand-set weights, uncalibrated in this version.
 */
export class RiskModel {
  readonly #options: RiskModelOptions
  readonly #time: MonotoneTime = new MonotoneTime()
  readonly #fleet: Fleet
  readonly #link: LinkWatch
  readonly #recalibration: Recalibration
  readonly #ledger: OutcomeLedger = new OutcomeLedger()

  constructor(options: RiskModelSetup = {}, memory?: ModelMemory) {
    this.#options = resolveOptions(options)
    const start = startingPoint(options.priors)
    this.#fleet = new Fleet(start.stores)
    this.#recalibration = new Recalibration(memory?.calibration ?? start.calibration)
    const known = memory?.transitions ?? start.transitions
    this.#link = new LinkWatch({ fleet: this.#fleet, tickMs: this.#options.tickMs, known })
  }

  /**
   * A model that remembers what `toJSON` gave, or its JSON text, as it was `ageMs` ago: failures and rates fade by half
   * in ten minutes, rhythms and times against plan in a day. @throws PredictorError `invalidState` for anything else.
   */
  static fromJSON(json: unknown, o: RestoreOptions & { options?: RiskModelSetup }): RiskModel {
    const memory = decodeModel(json, o)
    const model = new RiskModel(o.options, memory)
    const nowMs = model.#time.advance(o.nowMs)
    for (const [store, known] of memory.stores) model.#fleet.remember(store, nowMs, known)
    return model
  }

  /** What is worth keeping: of stores, not of sessions. Plain data. */
  toJSON(): RiskModelState {
    return encodeModel(this.#fleet, {
      transitions: this.#link.state.transitions.known,
      calibration: this.#recalibration.known,
    })
  }

  /** Starting a key that is in flight replaces it. */
  sessionStarted(o: { nowMs: number; session: SessionKey; store: StoreKey; rangeBytes: number }): void {
    requireInput('rangeBytes', o.rangeBytes)
    const nowMs = this.#time.advance(o.nowMs)
    this.#remove(o.session)
    const store = this.#fleet.store(o.store, nowMs)
    const record = new SessionRecord({ nowMs, storeKey: o.store, store, rangeBytes: o.rangeBytes })
    const sessionsInFlight = this.#fleet.sessions.size + 1
    const expected = this.#fleet.expectedRateOfNew(store, sessionsInFlight)
    if (expected !== undefined) record.expectFromStore(expected, sessionsInFlight)
    store.goodput.started(nowMs)
    this.#fleet.goodput.started(nowMs)
    this.#fleet.add(o.session, record)
  }

  /** Newly acknowledged unique bytes. Late reports of ended sessions and reports of 0 bytes are ignored. */
  acknowledged(o: { nowMs: number; session: SessionKey; bytes: number; appLimited?: boolean }): void {
    requireInput('bytes', o.bytes)
    const nowMs = this.#time.advance(o.nowMs)
    const session = this.#fleet.sessions.get(o.session)
    if (session === undefined || o.bytes === 0) return
    const sample = { nowMs, bytes: o.bytes, appLimited: (o.appLimited ?? false) || session.isResuming }
    const gapMs = session.gapMs(nowMs)
    this.#signOfLife(nowMs, session.storeKey, session)
    const transferredMs = Math.min(gapMs, session.expectedGapMs) * this.#link.state.belief.pGood
    session.store.failures.transferred(transferredMs)
    session.acknowledged({
      ...sample,
      sessionsInFlight: this.#fleet.sessions.size,
      linkSuspect: this.#link.state.pNotGood > 0.5,
    })
    session.store.goodput.acknowledged(sample)
    this.#fleet.goodput.acknowledged(sample)
  }

  /** Small requests only, never ambiguous (hedged) ones. Also a sign of life. */
  requestRtt(o: { nowMs: number; store: StoreKey; roundTripMs: number }): void {
    requireInput('roundTripMs', o.roundTripMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).requestRtt.add({ nowMs, roundTripMs: o.roundTripMs })
    this.#signOfLife(nowMs, o.store)
  }

  /** Any other sign of life over a separate connection: heartbeat, probe answered. */
  heard(o: { nowMs: number; store: StoreKey }): void {
    this.#signOfLife(this.#time.advance(o.nowMs), o.store)
  }

  /** A probe not answered within its time. */
  probeLost(o: { nowMs: number; store: StoreKey }): void {
    const nowMs = this.#time.advance(o.nowMs)
    const store = this.#fleet.store(o.store, nowMs)
    this.#fleet.probeLost(nowMs, store)
    if (this.#fleet.lastLifeMs >= nowMs - store.requestRtt.rtoMs) return
    this.#link.probeLost()
  }

  /**
   * How busy the store says it is, 0 to 1 (the protocol's `Reconcile-Load`). Also a sign of life. `session`: over whose
   * own connection it came, which vouches for no silence of that session.
   */
  serverLoad(o: { nowMs: number; store: StoreKey; load: number; session?: SessionKey }): void {
    requireLoad(o.load)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).load.reported({ nowMs, load: o.load })
    this.#signOfLife(nowMs, o.store, this.#inFlight(o.session))
  }

  /** The store refused for load: 429, or 503 with Retry-After. No failure, and a sign of life; `session` as of `serverLoad`. */
  busy(o: { nowMs: number; store: StoreKey; retryAfterMs?: number | undefined; session?: SessionKey }): void {
    if (o.retryAfterMs !== undefined) requireInput('retryAfterMs', o.retryAfterMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).load.busy({ nowMs, retryAfterMs: o.retryAfterMs })
    this.#signOfLife(nowMs, o.store, this.#inFlight(o.session))
  }

  /** Frees all that was kept of the session. Unknown sessions are ignored. `failure` tells how it failed; default `connection`. */
  sessionEnded(o: { nowMs: number; session: SessionKey; outcome: SessionOutcome; failure?: FailureKind }): void {
    const nowMs = this.#time.advance(o.nowMs)
    const session = this.#fleet.sessions.get(o.session)
    if (session === undefined) return
    const { outcome, failure = 'connection' } = o
    const isBlamed = outcome === 'takenOver' && this.#isBlamed(nowMs, session)
    if (isAnswered(outcome, failure)) this.#signOfLife(nowMs, session.storeKey, session)
    if (outcome === 'failed' && failure === 'load') session.store.load.busy({ nowMs })
    this.#remove(o.session)
    const pLinkGood = session.witness.isExcused(nowMs) ? 0 : this.#link.state.belief.pGood
    const ended = { nowMs, session, outcome, failure, pLinkGood, isBlamed }
    this.#recalibration.ended(ended)
    this.#ledger.ended(ended)
  }

  /** Our own tick came late: all clocks start anew, nothing is learned from the gap. */
  localPause(o: { nowMs: number; gapMs: number }): void {
    requireInput('gapMs', o.gapMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.restartClocks(nowMs, o.gapMs)
    this.#link.restart(nowMs)
  }

  /** Call about every 250 ms: advances the link filter, by several steps when late. */
  tick(o: { nowMs: number }): void {
    const nowMs = this.#time.advance(o.nowMs)
    if (!this.#link.tick(nowMs)) return
    this.#ledger.attribution.review(nowMs, this.#link.state.pNotGood)
  }

  /**
   * Call for every session with each tick. `isGlance`: an assessment between ticks, which leaves no trace in what is learned.
   * @throws PredictorError `unknownSession` for a session that is not in flight.
   */
  assess(o: { nowMs: number; session: SessionKey; remainingBytes: number; isGlance?: boolean }): RiskAssessment {
    requireInput('remainingBytes', o.remainingBytes)
    const nowMs = this.#time.advance(o.nowMs)
    const session = this.#fleet.sessions.get(o.session)
    if (session === undefined) throw new PredictorError('unknownSession', `no session in flight is called ${o.session}`)
    const assessment = this.#assess(nowMs, session, o.remainingBytes)
    if (!o.isGlance) {
      session.totalBytes = session.ackedBytes + o.remainingBytes
      session.samples.take(nowMs, assessment)
    }
    return { ...assessment, calibrated: this.#recalibration.apply(assessment) }
  }

  link(): { pGood: number; pBad: number; pOutage: number; phi: number } {
    return { ...this.#link.state.belief, phi: this.#fleet.leastPhi(this.#time.nowMs) }
  }

  /** Never throws: an unknown store answers as one just met. */
  store(store: StoreKey): StoreView {
    const nowMs = this.#time.nowMs
    const view = (this.#fleet.stores.get(store) ?? this.#fleet.justMet(nowMs)).view(nowMs)
    const { lastHeardMs } = view
    return { ...view, lastHeardMs: lastHeardMs === undefined ? undefined : this.#time.callersMs(lastHeardMs) }
  }

  /** All sessions together, over the time at least one was in flight. */
  aggregateGoodput(): number | undefined {
    return this.#fleet.goodput.bytesPerSecond()
  }

  /** Stores to send a small request to, on a new connection: the suspects and whoever could testify. Asking is remembered. */
  wantsProbe(o: { nowMs: number }): StoreKey[] {
    const nowMs = this.#time.advance(o.nowMs)
    return chooseProbes(this.#fleet, nowMs, this.#options)
  }

  #signOfLife(nowMs: number, storeKey: StoreKey, speaker?: SessionRecord): void {
    this.#fleet.signOfLife(nowMs, storeKey, speaker)
    this.#ledger.attribution.signOfLife(nowMs)
  }

  #inFlight(key: SessionKey | undefined): SessionRecord | undefined {
    return key === undefined ? undefined : this.#fleet.sessions.get(key)
  }

  #remove(key: SessionKey): void {
    const session = this.#fleet.sessions.get(key)
    if (session === undefined) return
    this.#fleet.sessions.delete(key)
    if (this.#fleet.sessions.size === 0) this.#fleet.goodput.idle()
    if (![...this.#fleet.sessions.values()].some(({ store }) => store === session.store)) session.store.goodput.idle()
  }

  #assess(nowMs: number, session: SessionRecord, remainingBytes: number): Omit<RiskAssessment, 'calibrated'> {
    const inFlight = this.#fleet.sessions.size
    const gapMs = session.gapMs(nowMs)
    const expectedRate = session.expectedRate(inFlight) ?? session.movingRate() ?? COLD_BYTES_PER_SECOND
    const rate = session.currentRate(nowMs, COLD_BYTES_PER_SECOND)
    const planMs = estimateRemainingMs(remainingBytes, expectedRate)
    const horizonMs = Math.min(this.#options.maxHorizonMs, Math.max(MIN_HORIZON_MS, 2 * planMs))
    const slowness = session.slowness(inFlight)
    const course = session.courseNow({
      nowMs,
      remainingBytes,
      trust: slowness?.trust ?? 0,
      coldBytesPerSecond: COLD_BYTES_PER_SECOND,
    })
    const peersRatio = this.#fleet.peersRatio(session, nowMs, this.#options.probePhi)
    return assessRisk({
      gapMs,
      phi: session.phi(gapMs),
      witnessedMs: session.witness.witnessedMs,
      witnessedPhi: session.phi(session.witness.witnessedMs),
      excusedPhi: session.phi(session.witness.excusedMs),
      commonPhi: this.#fleet.commonPhi(nowMs),
      pLinkNotGood: this.#link.state.pNotGood,
      load: loadPressure({
        share: session.store.load.share(nowMs),
        queueingDelayMs: this.#fleet.privateQueueingMs(session.store, nowMs),
      }),
      pFailure: session.store.failures.probabilityWithin(horizonMs),
      slowness,
      late: session.course.late(course),
      planRatio: session.planRatio({ nowMs, remainingBytes, sessionsInFlight: inFlight }),
      peersRatio,
      answerStarts: peersRatio === undefined ? this.#fleet.promptestAnswer(nowMs) : undefined,
      rateBytesPerSecond: rate,
      expectedRateBytesPerSecond: expectedRate,
      expectedRemainingMs: session.course.expectedRemainingMs(course),
      horizonMs,
    })
  }

  #isBlamed(nowMs: number, session: SessionRecord): boolean {
    const { server, straggle, link } = this.#assess(nowMs, session, 0)
    return Math.max(server, straggle) >= BLAME_FROM && Math.max(server, straggle) >= link
  }
}
