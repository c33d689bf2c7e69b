import { Fleet, type SessionKey, type SessionStart, type StoreKey } from './fleet.js'
import { LinkWatch } from './link-watch.js'
import { decodeModel, encodeModel, type ModelMemory, type RestoreOptions, type RiskModelState } from './model-state.js'
import { MonotoneTime } from './monotone-time.js'
import { type RiskModelOptions, type RiskModelSetup, resolveOptions } from './options.js'
import { type FailureKind, isAnswered, OutcomeLedger, requireEnding, type SessionOutcome } from './outcome-ledger.js'
import { PredictorError, quote, requireInput, requireKey, requirePositive } from './predictor-error.js'
import { startingPoint } from './priors.js'
import { chooseProbes } from './probe-choice.js'
import { Recalibration } from './recalibration.js'
import type { RiskAssessment } from './risk-assessment.js'
import { requireLoad } from './server-load.js'
import { SessionAssessor } from './session-assessor.js'
import type { SessionRecord } from './session-record.js'
import type { StoreView } from './store-record.js'

/**
 * P(session fails or straggles), told apart into the link that all share and the server that one has.
 * Sources: METHODS, findings 1 and 3, and Risk. Pure: time comes in with every call, from any monotone clock in ms.
 * The parts are set by hand; `risk` combines them by weights fitted on made-up links (`risk-weights.ts`).
 */
export class RiskModel {
  readonly #options: RiskModelOptions
  readonly #time: MonotoneTime = new MonotoneTime()
  readonly #fleet: Fleet
  readonly #link: LinkWatch
  readonly #assessor: SessionAssessor
  readonly #recalibration: Recalibration
  readonly #ledger: OutcomeLedger = new OutcomeLedger()

  constructor(options: RiskModelSetup = {}, memory?: ModelMemory) {
    this.#options = resolveOptions(options)
    const start = startingPoint(options.priors)
    this.#fleet = new Fleet(start.stores)
    this.#recalibration = new Recalibration(memory?.calibration ?? start.calibration)
    const known = memory?.transitions ?? start.transitions
    this.#link = new LinkWatch({ fleet: this.#fleet, tickMs: this.#options.tickMs, known })
    const parts = { fleet: this.#fleet, link: this.#link, recalibration: this.#recalibration }
    this.#assessor = new SessionAssessor({ ...parts, options: this.#options })
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

  /**
   * Starting a key that is in flight replaces it. `plannedMs`: how long it was planned to take, above 0; default what
   * the model itself expects, and no plan where it expects nothing yet.
   */
  sessionStarted(o: SessionStart): void {
    requireKey('session', o.session)
    requireKey('store', o.store)
    requireInput('rangeBytes', o.rangeBytes)
    if (o.plannedMs !== undefined) requirePositive('plannedMs', o.plannedMs)
    this.#fleet.begin({ ...o, nowMs: this.#time.advance(o.nowMs) })
  }

  /**
   * Newly acknowledged unique bytes. Late reports of ended sessions and reports of 0 bytes are ignored. `appLimited`: the
   * sender's own side set the pace, so that no rate is learned; default false.
   */
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
    this.#fleet.pace.acknowledged(sample)
  }

  /** Small requests only, never ambiguous (hedged) ones. Also a sign of life. */
  requestRtt(o: { nowMs: number; store: StoreKey; roundTripMs: number }): void {
    requireKey('store', o.store)
    requireInput('roundTripMs', o.roundTripMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).requestRtt.add({ nowMs, roundTripMs: o.roundTripMs })
    this.#signOfLife(nowMs, o.store)
  }

  /** Any other sign of life over a separate connection: heartbeat, probe answered. */
  heard(o: { nowMs: number; store: StoreKey }): void {
    requireKey('store', o.store)
    this.#signOfLife(this.#time.advance(o.nowMs), o.store)
  }

  /** A probe not answered within its time. */
  probeLost(o: { nowMs: number; store: StoreKey }): void {
    requireKey('store', o.store)
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
    requireKey('store', o.store)
    requireLoad(o.load)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).load.reported({ nowMs, load: o.load })
    this.#signOfLife(nowMs, o.store, this.#inFlight(o.session))
  }

  /** The store refused for load: 429, or 503 with Retry-After. No failure, and a sign of life; `session` as of `serverLoad`. */
  busy(o: { nowMs: number; store: StoreKey; retryAfterMs?: number | undefined; session?: SessionKey }): void {
    requireKey('store', o.store)
    if (o.retryAfterMs !== undefined) requireInput('retryAfterMs', o.retryAfterMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.store(o.store, nowMs).load.busy({ nowMs, retryAfterMs: o.retryAfterMs })
    this.#signOfLife(nowMs, o.store, this.#inFlight(o.session))
  }

  /** Frees all that was kept of the session. Unknown sessions are ignored. `failure` tells how it failed; default `connection`. */
  sessionEnded(o: { nowMs: number; session: SessionKey; outcome: SessionOutcome; failure?: FailureKind }): void {
    const { outcome, failure = 'connection' } = o
    requireEnding(outcome, failure)
    const nowMs = this.#time.advance(o.nowMs)
    const session = this.#fleet.sessions.get(o.session)
    if (session === undefined) return
    const isBlamed = outcome === 'takenOver' && this.#assessor.isBlamed(nowMs, session)
    if (isAnswered(outcome, failure)) this.#signOfLife(nowMs, session.storeKey, session)
    if (outcome === 'failed' && failure === 'load') session.store.load.busy({ nowMs })
    this.#fleet.remove(nowMs, o.session)
    const pLinkGood = session.witness.isExcused(nowMs) ? 0 : this.#link.state.belief.pGood
    const ended = { nowMs, session, outcome, failure, pLinkGood, isBlamed }
    this.#recalibration.ended(ended)
    this.#ledger.ended(ended)
  }

  /** Our own clock stood still for `gapMs`, up to now: all clocks start anew, nothing is learned from the gap. */
  localPause(o: { nowMs: number; gapMs: number }): void {
    requireInput('gapMs', o.gapMs)
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.restartClocks(nowMs, o.gapMs)
    this.#link.restart(nowMs)
  }

  /** Call about every 250 ms: advances the link filter, by several steps when late. */
  tick(o: { nowMs: number }): void {
    const nowMs = this.#time.advance(o.nowMs)
    this.#fleet.pace.tick(nowMs, this.#fleet.sessions.size > 0)
    if (!this.#link.tick(nowMs)) return
    this.#ledger.attribution.review(nowMs, this.#link.state.pNotGood)
  }

  /**
   * Call for every session with each tick. `remainingBytes`: not acknowledged yet. `isGlance`: an assessment between
   * ticks, which leaves no trace in what is learned; default false.
   * @throws PredictorError `unknownSession` for a session that is not in flight.
   */
  assess(o: { nowMs: number; session: SessionKey; remainingBytes: number; isGlance?: boolean }): RiskAssessment {
    const { nowMs, session } = this.#toAssess(o)
    const assessment = this.#assessor.assess(nowMs, session, o.remainingBytes)
    if (!o.isGlance) {
      session.totalBytes = session.ackedBytes + o.remainingBytes
      session.holdRisk(assessment.risk)
      session.samples.take(nowMs, assessment)
    }
    return assessment
  }

  /**
   * What `risk` is combined from, in the order of `RISK_FACTORS`, for fitting its weights; undefined without a plan.
   * @throws PredictorError `unknownSession` for a session that is not in flight.
   */
  factors(o: { nowMs: number; session: SessionKey; remainingBytes: number }): readonly number[] | undefined {
    const { nowMs, session } = this.#toAssess(o)
    return this.#assessor.factors(nowMs, session, o.remainingBytes)
  }

  /** What the link that all sessions share is thought to be, adding up to 1, and the least suspicion of all sessions in flight. */
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

  /** Bytes per second of all sessions together, over the time at least one was in flight; undefined until 128 kB were seen. */
  aggregateGoodput(): number | undefined {
    return this.#fleet.goodput.bytesPerSecond()
  }

  /** Stores to send a small request to, on a new connection: the suspects and whoever could testify. Asking is remembered. */
  wantsProbe(o: { nowMs: number }): StoreKey[] {
    const nowMs = this.#time.advance(o.nowMs)
    return chooseProbes(this.#fleet, nowMs, this.#options)
  }

  #toAssess(o: { nowMs: number; session: SessionKey; remainingBytes: number }): {
    nowMs: number
    session: SessionRecord
  } {
    requireInput('remainingBytes', o.remainingBytes)
    const session = this.#fleet.sessions.get(o.session)
    if (session === undefined) {
      throw new PredictorError('unknownSession', `no session in flight is called ${quote(o.session)}`)
    }
    return { nowMs: this.#time.advance(o.nowMs), session }
  }

  #signOfLife(nowMs: number, storeKey: StoreKey, speaker?: SessionRecord): void {
    this.#fleet.signOfLife(nowMs, storeKey, speaker)
    this.#ledger.attribution.signOfLife(nowMs)
  }

  #inFlight(key: SessionKey | undefined): SessionRecord | undefined {
    return key === undefined ? undefined : this.#fleet.sessions.get(key)
  }
}
