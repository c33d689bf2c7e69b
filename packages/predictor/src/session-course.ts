import type { CompletionSurvival } from './completion-survival.js'
import { logNormalTail } from './normal-tail.js'
import { STRAGGLER_FACTOR } from './straggler.js'

/** Guess: what a store's outcomes say weighs half as much as the rate in flight after so many of them. */
const HALF_BELIEVED_OUTCOMES = 8
/** Guess: ln(total / projection) of a session that has little left is still uncertain by this. */
const LEAST_SIGMA = 0.1
/** Guess: a session shorter than this says nothing of its rate, and a plan shorter than this is none. */
const SHORTEST_MS = 1

export interface CourseNow {
  nowMs: number
  /** As of the last progress, its local pauses left out. */
  ackedBytes: number
  lastProgressMs: number
  remainingBytes: number
  /** Bytes left over the recent rate, as of the last progress and with the silence since. */
  remainingAtProgressMs: number
  remainingMs: number
  /** 0 while the rate in flight says nothing yet, 1 once it does. */
  trust: number
}

export interface Standing {
  /** Time since the start over the plan. */
  age: number
  /** What all that it is to send was planned to take. */
  plannedMs: number
  /** What is left until it has taken twice its plan; not above 0 from then on. */
  allowanceMs: number
}

/**
 * One session against the plan it started with: start-up and bytes over the rate that was forecast then.
 * `late` = P(total > 2 plans | not over yet), the total being log-normal around what the rate in flight projects and,
 * the less that rate is known, around what this store's sessions took before. A longer gap lowers neither answer.
 * Source: METHODS, Risk (completion time). Cold start, no forecast at the start: no plan, and `late` undefined.
 */
export class SessionCourse {
  readonly #history: CompletionSurvival
  #startedMs: number
  #plannedRate: number | undefined
  #plannedStartMs = 0
  #isOwnWork = true

  constructor(o: { nowMs: number; history: CompletionSurvival }) {
    this.#startedMs = o.nowMs
    this.#history = o.history
  }

  /** What it is to take in all: `bytes` at this rate, after so long a start. The last word counts. */
  planned(o: { bytesPerSecond: number; startMs: number }): void {
    this.#plannedRate = o.bytesPerSecond
    this.#plannedStartMs = o.startMs
  }

  /** A local pause is no part of it. */
  paused(pauseMs: number, nowMs: number): void {
    this.#startedMs = Math.min(nowMs, this.#startedMs + pauseMs)
  }

  /** The source or our own pause set its pace: its total says nothing of the store. */
  limitedByUs(): void {
    this.#isOwnWork = false
  }

  /** Time since the start without local pauses; undefined where the pace was not the store's, or nothing to speak of. */
  workedMs(nowMs: number): number | undefined {
    const workedMs = nowMs - this.#startedMs
    return this.#isOwnWork && workedMs >= SHORTEST_MS ? workedMs : undefined
  }

  /** Actual over planned time, for so many bytes; undefined where there was no plan, or the pace was not the store's. */
  ratio(nowMs: number, bytes: number): number | undefined {
    const planMs = this.#planMs(bytes)
    const workedMs = this.workedMs(nowMs)
    return planMs === undefined || workedMs === undefined ? undefined : workedMs / planMs
  }

  /** Where it stands against its plan; undefined without one. */
  standing(nowMs: number, totalBytes: number): Standing | undefined {
    const planMs = this.#planMs(totalBytes)
    if (planMs === undefined) return undefined
    const workedMs = Math.max(0, nowMs - this.#startedMs)
    return {
      age: workedMs / planMs,
      plannedMs: planMs,
      allowanceMs: STRAGGLER_FACTOR * planMs - workedMs,
    }
  }

  late(o: CourseNow): number | undefined {
    const planMs = this.#planMs(o.ackedBytes + o.remainingBytes)
    if (planMs === undefined || o.remainingBytes === 0) return undefined
    const age = Math.max(SHORTEST_MS, o.nowMs - this.#startedMs) / planMs
    const projected = age + o.remainingMs / planMs
    const weight = this.#historyWeight(o.trust)
    const meanLog = weight * this.#history.meanLog + (1 - weight) * Math.log(projected)
    const left = o.remainingBytes / (o.ackedBytes + o.remainingBytes)
    const sigma = Math.max(LEAST_SIGMA, this.#history.sigmaLog * Math.sqrt(left))
    const logTail = (ratio: number): number => logNormalTail((Math.log(ratio) - meanLog) / sigma)
    return age >= STRAGGLER_FACTOR ? 1 : Math.min(1, Math.exp(logTail(STRAGGLER_FACTOR) - logTail(age)))
  }

  /** The conditional residual of the store's outcomes and what the rate says, as geometric mean; then the silence's toll. */
  expectedRemainingMs(o: CourseNow): number {
    const planMs = this.#planMs(o.ackedBytes + o.remainingBytes)
    const weight = this.#historyWeight(o.trust)
    if (planMs === undefined || weight === 0 || o.remainingBytes === 0) return o.remainingMs
    const residualMs = planMs * this.#history.residual(Math.max(0, o.lastProgressMs - this.#startedMs) / planMs)
    const blendedMs = o.remainingAtProgressMs ** (1 - weight) * residualMs ** weight
    return blendedMs + (o.remainingMs - o.remainingAtProgressMs)
  }

  #planMs(bytes: number): number | undefined {
    if (this.#plannedRate === undefined || this.#plannedRate <= 0) return undefined
    const planMs = this.#plannedStartMs + (bytes / this.#plannedRate) * 1000
    return planMs >= SHORTEST_MS && Number.isFinite(planMs) ? planMs : undefined
  }

  #historyWeight(trust: number): number {
    const { outcomes } = this.#history
    return (1 - trust) * (outcomes / (outcomes + HALF_BELIEVED_OUTCOMES))
  }
}
