import { estimateRemainingMs } from './completion-time.js'
import { anyOf, type Diagnosis, diagnose, type RiskEvidence, type SilenceEvidence } from './diagnosis.js'
import type { Fleet } from './fleet.js'
import { LazyAssessment } from './lazy-assessment.js'
import type { LinkWatch } from './link-watch.js'
import type { RiskModelOptions } from './options.js'
import type { Recalibration } from './recalibration.js'
import type { RiskAssessment } from './risk-assessment.js'
import { combine } from './risk-combination.js'
import { type FactorEvidence, factorsOf } from './risk-factors.js'
import { type Reasons, reasonsByPlan, reasonsWithoutPlan } from './risk-reasons.js'
import { blameFor, splitRisk } from './risk-split.js'
import { loadPressure } from './server-load.js'
import type { Standing } from './session-course.js'
import type { SessionRecord } from './session-record.js'

/** Guess: the shortest horizon. */
const MIN_HORIZON_MS = 1_000
/** Guess: expected where nothing at all is known, 1 Mbit/s. */
const COLD_BYTES_PER_SECOND = 125_000
/** Guess: a session taken over counts as half a failure of its store from this risk on. */
const BLAME_FROM = 0.3

type AssessorOptions = Pick<RiskModelOptions, 'maxHorizonMs' | 'probePhi'>
type Rates = Pick<
  RiskAssessment,
  'rateBytesPerSecond' | 'expectedRateBytesPerSecond' | 'expectedRemainingMs' | 'horizonMs'
>

/** What is known of a session at one moment. */
interface Known {
  readonly nowMs: number
  readonly session: SessionRecord
  readonly evidence: RiskEvidence
  readonly diagnosis: Diagnosis
  readonly rates: Rates
  readonly pStoreDown: number
  readonly factors: FactorEvidence
  /** Undefined without a plan. */
  readonly standing: Standing | undefined
}

interface Weighed {
  readonly risk: number
  /** Made when somebody asks: texts cost more than all the rest. */
  readonly reasons: () => Reasons
}

/** Gathers what is known of a session in flight, and has it weighed. */
export class SessionAssessor {
  readonly #fleet: Fleet
  readonly #link: LinkWatch
  readonly #recalibration: Recalibration
  readonly #options: AssessorOptions

  constructor(o: { fleet: Fleet; link: LinkWatch; recalibration: Recalibration; options: AssessorOptions }) {
    this.#fleet = o.fleet
    this.#link = o.link
    this.#recalibration = o.recalibration
    this.#options = o.options
  }

  /** By plan where there is one: the parts combined, and certainty once twice the plan is over. */
  assess(nowMs: number, session: SessionRecord, remainingBytes: number): RiskAssessment {
    const known = this.#known(nowMs, session, remainingBytes)
    const { risk, reasons } = weigh(known)
    const { diagnosis, evidence, rates, pStoreDown } = known
    const { link, server, connection, straggle } = diagnosis
    const figures = {
      risk,
      late: Math.min(risk, diagnosis.late),
      split: splitRisk(risk, diagnosis, pStoreDown),
      link,
      server,
      connection,
      straggle,
      calibrated: this.#recalibration.apply({ risk, link, server, straggle }),
      phi: evidence.silence.phi,
      gapMs: evidence.silence.gapMs,
      rateBytesPerSecond: rates.rateBytesPerSecond,
      expectedRateBytesPerSecond: rates.expectedRateBytesPerSecond,
      expectedRemainingMs: rates.expectedRemainingMs,
      horizonMs: rates.horizonMs,
      plannedMs: known.standing?.plannedMs,
    }
    return new LazyAssessment(figures, { reasons, blame: () => blameFor(evidence, diagnosis, pStoreDown) })
  }

  /** What its risk is combined from; undefined without a plan. */
  factors(nowMs: number, session: SessionRecord, remainingBytes: number): number[] | undefined {
    const { factors, standing } = this.#known(nowMs, session, remainingBytes)
    return standing && factorsOf(standing, factors)
  }

  /** Whether a session that was taken over counts against its store. */
  isBlamed(nowMs: number, session: SessionRecord): boolean {
    const { server, straggle, link } = this.#known(nowMs, session, 0).diagnosis
    return Math.max(server, straggle) >= BLAME_FROM && Math.max(server, straggle) >= link
  }

  #known(nowMs: number, session: SessionRecord, remainingBytes: number): Known {
    const { evidence, rates } = this.#evidence(nowMs, session, remainingBytes)
    const diagnosis = diagnose(evidence)
    const inFlight = this.#fleet.sessions.size
    const { server, connection, straggle, late } = diagnosis
    const factors = {
      remainingBytes,
      rate: rates.rateBytesPerSecond,
      shareNow: this.#fleet.shareOfPace('now', inFlight),
      shareUsual: this.#fleet.shareOfPace('usual', inFlight),
      optimism: session.optimism,
      phi: evidence.silence.phi,
      server: Math.max(server, connection),
      straggle,
      late,
      link: evidence.pLinkNotGood,
      storeDown: session.store.health.pDown(nowMs),
    }
    const standing = session.course.standing(nowMs, session.ackedBytes + remainingBytes)
    const pStoreDown = session.store.health.pDownAboveUsual(nowMs)
    return { nowMs, session, evidence, diagnosis, rates, pStoreDown, factors, standing }
  }

  #evidence(nowMs: number, session: SessionRecord, remainingBytes: number): { evidence: RiskEvidence; rates: Rates } {
    const inFlight = this.#fleet.sessions.size
    const expectedRate = session.expectedRate(inFlight) ?? session.movingRate() ?? COLD_BYTES_PER_SECOND
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
    const evidence = {
      silence: this.#silence(nowMs, session),
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
    }
    const rates = {
      rateBytesPerSecond: session.currentRate(nowMs, COLD_BYTES_PER_SECOND),
      expectedRateBytesPerSecond: expectedRate,
      expectedRemainingMs: session.course.expectedRemainingMs(course),
      horizonMs,
    }
    return { evidence, rates }
  }

  #silence(nowMs: number, session: SessionRecord): SilenceEvidence {
    const gapMs = session.gapMs(nowMs)
    const { witnessedMs, excusedMs } = session.witness
    return {
      gapMs,
      phi: session.phi(gapMs),
      witnessedMs,
      witnessedPhi: session.phi(witnessedMs),
      excusedPhi: session.phi(excusedMs),
      commonPhi: this.#fleet.commonPhi(nowMs),
    }
  }
}

function weigh({ nowMs, session, evidence, diagnosis, factors, standing }: Known): Weighed {
  const held = (risk: number): number => session.atLeastHeld(risk, factors.remainingBytes)
  // as they are now, for whoever asks later
  const more = {
    gapMs: evidence.silence.gapMs,
    usualGapMs: session.usualGapMs,
    failedAgoMs: session.store.health.failedAgoMs(nowMs),
  }
  if (standing === undefined) {
    const risk = held(anyOf(diagnosis))
    return { risk, reasons: () => reasonsWithoutPlan({ risk, diagnosis, evidence: factors }, more) }
  }
  const values = factorsOf(standing, factors)
  const risk = held(standing.allowanceMs <= 0 ? 1 : combine(values, standing.age))
  return { risk, reasons: () => reasonsByPlan({ risk, factors: values, standing, evidence: factors }, more) }
}
