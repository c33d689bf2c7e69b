import { estimateRemainingMs } from './completion-time.js'
import type { Fleet } from './fleet.js'
import type { LinkWatch } from './link-watch.js'
import type { RiskModelOptions } from './options.js'
import { assessRisk, type RiskAssessment, type SilenceEvidence } from './risk-assessment.js'
import { combine } from './risk-combination.js'
import { factorsOf } from './risk-factors.js'
import { loadPressure } from './server-load.js'
import type { Standing } from './session-course.js'
import type { SessionRecord } from './session-record.js'

/** Guess: the shortest horizon. */
const MIN_HORIZON_MS = 1_000
/** Guess: expected where nothing at all is known, 1 Mbit/s. */
const COLD_BYTES_PER_SECOND = 125_000
/** Guess: a session taken over counts as half a failure of its store from this risk on. */
const BLAME_FROM = 0.3

type Assessment = Omit<RiskAssessment, 'calibrated'>
type Parts = Omit<Assessment, 'plannedMs'>

/** Gathers what is known of a session in flight, and has it weighed. */
export class SessionAssessor {
  readonly #fleet: Fleet
  readonly #link: LinkWatch
  readonly #options: Pick<RiskModelOptions, 'maxHorizonMs' | 'probePhi'>

  constructor(o: { fleet: Fleet; link: LinkWatch; options: Pick<RiskModelOptions, 'maxHorizonMs' | 'probePhi'> }) {
    this.#fleet = o.fleet
    this.#link = o.link
    this.#options = o.options
  }

  /** By plan where there is one: the parts combined, and certainty once twice the plan is over. */
  assess(nowMs: number, session: SessionRecord, remainingBytes: number): Assessment {
    const parts = this.#parts(nowMs, session, remainingBytes)
    const standing = session.course.standing(nowMs, session.ackedBytes + remainingBytes)
    if (standing === undefined) return Object.assign(parts, { plannedMs: undefined })
    const isOver = standing.allowanceMs <= 0
    parts.risk = isOver ? 1 : combine(this.#factors(nowMs, session, { parts, standing, remainingBytes }), standing.age)
    return Object.assign(parts, { plannedMs: standing.plannedMs })
  }

  /** What its risk is combined from; undefined without a plan. */
  factors(nowMs: number, session: SessionRecord, remainingBytes: number): number[] | undefined {
    const standing = session.course.standing(nowMs, session.ackedBytes + remainingBytes)
    if (standing === undefined) return undefined
    const parts = this.#parts(nowMs, session, remainingBytes)
    return this.#factors(nowMs, session, { parts, standing, remainingBytes })
  }

  /** Whether a session that was taken over counts against its store. */
  isBlamed(nowMs: number, session: SessionRecord): boolean {
    const { server, straggle, link } = this.#parts(nowMs, session, 0)
    return Math.max(server, straggle) >= BLAME_FROM && Math.max(server, straggle) >= link
  }

  #factors(
    nowMs: number,
    session: SessionRecord,
    o: { parts: Parts; standing: Standing; remainingBytes: number },
  ): number[] {
    const { server, connection, straggle, late, phi, rateBytesPerSecond } = o.parts
    const inFlight = this.#fleet.sessions.size
    return factorsOf({
      standing: o.standing,
      remainingBytes: o.remainingBytes,
      rate: rateBytesPerSecond,
      shareNow: this.#fleet.shareOfPace('now', inFlight),
      shareUsual: this.#fleet.shareOfPace('usual', inFlight),
      optimism: session.optimism,
      phi,
      server: Math.max(server, connection),
      straggle,
      late,
      link: this.#link.state.pNotGood,
      storeDown: session.store.health.pDown(nowMs),
    })
  }

  #parts(nowMs: number, session: SessionRecord, remainingBytes: number): Parts {
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
    return assessRisk({
      silence: this.#silence(nowMs, session),
      pLinkNotGood: this.#link.state.pNotGood,
      load: loadPressure({
        share: session.store.load.share(nowMs),
        queueingDelayMs: this.#fleet.privateQueueingMs(session.store, nowMs),
      }),
      pStoreDownAboveUsual: session.store.health.pDownAboveUsual(nowMs),
      pFailure: session.store.failures.probabilityWithin(horizonMs),
      slowness,
      late: session.course.late(course),
      planRatio: session.planRatio({ nowMs, remainingBytes, sessionsInFlight: inFlight }),
      peersRatio,
      answerStarts: peersRatio === undefined ? this.#fleet.promptestAnswer(nowMs) : undefined,
      rateBytesPerSecond: session.currentRate(nowMs, COLD_BYTES_PER_SECOND),
      expectedRateBytesPerSecond: expectedRate,
      expectedRemainingMs: session.course.expectedRemainingMs(course),
      horizonMs,
    })
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
