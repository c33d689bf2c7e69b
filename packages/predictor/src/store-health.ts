import { requireQuantity, requireTime } from './predictor-error.js'

/** Guess: a store goes down once in ten minutes of being up, and is up again after 12 s on average (bursts of errors, restarts). */
const UP_SECONDS = 600
const DOWN_SECONDS = 12
/** How fast it comes back to what is usual, and what that is. */
const PER_SECOND = 1 / UP_SECONDS + 1 / DOWN_SECONDS
const USUAL = 1 / UP_SECONDS / PER_SECOND
/** Guess: how much likelier an outcome is of a store that is down than of one that is up. */
const LIKELIER = { failed: 50, late: 0.7, completed: 0.3 } as const
/** Keeps both states possible, so that no certainty is beyond recall. */
const LEAST = 0.005
const MOST = 0.98

/** `late`: completed, but in more than twice its plan. */
export type HealthSign = keyof typeof LIKELIER

/**
 * P(store is down), as the outcomes of its sessions tell: a two-state Markov chain in continuous time, filtered.
 * Between signs `p <- e + (p - e) exp(-(u + v) t)`, u = 1 / up time, v = 1 / down time, e = u / (u + v); a sign
 * multiplies the odds by its likelihood ratio. Source: METHODS, Risk (hidden Markov model; failure history); Gilbert
 * 1960. The short memory beside `FailureHistory`'s long one: a store that failed seconds ago is likely to fail again.
 * Cold start: e.
 */
export class StoreHealth {
  #pDown = USUAL
  #atMs: number
  #failedMs: number | undefined

  constructor(nowMs: number) {
    requireTime(nowMs)
    this.#atMs = nowMs
  }

  /** `weight`: 1 for a failure that was surely the store's, 0 for one that says nothing of it. Default 1. */
  saw(o: { nowMs: number; sign: HealthSign; weight?: number }): void {
    requireTime(o.nowMs)
    requireQuantity('weight', o.weight ?? 1)
    const p = this.pDown(o.nowMs)
    const odds = (p / (1 - p)) * LIKELIER[o.sign] ** Math.min(1, o.weight ?? 1)
    this.#pDown = Math.min(MOST, Math.max(LEAST, odds / (1 + odds)))
    this.#atMs = Math.max(this.#atMs, o.nowMs)
    if (o.sign === 'failed') this.#failedMs = o.nowMs
  }

  /** Since a session of it failed; undefined where none did. */
  failedAgoMs(nowMs: number): number | undefined {
    return this.#failedMs === undefined ? undefined : Math.max(0, nowMs - this.#failedMs)
  }

  pDown(nowMs: number): number {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000
    return USUAL + (this.#pDown - USUAL) * Math.exp(-PER_SECOND * seconds)
  }

  /** What the outcomes lately add to it; 0 where they speak well of the store. */
  pDownAboveUsual(nowMs: number): number {
    return Math.max(0, this.pDown(nowMs) - USUAL)
  }
}
