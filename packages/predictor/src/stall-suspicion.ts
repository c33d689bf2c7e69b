import { log10NormalTail } from './normal-tail.js'
import { requireQuantity } from './predictor-error.js'

/** Guess, in ln: one standard deviation is a factor 1.8. Holds phi under 1 up to thrice the expected gap; 1 s of silence at the floor of 150 ms gives phi 3.1. The log-normal's form of the 100-250 ms sigma floor in METHODS. */
const MIN_SIGMA = 0.6
/** Guess: beyond this, gaps say nothing, and phi must still rise. */
const MAX_SIGMA = 1.5
/** Guess: gaps shorter than this are acks that came bunched; only the upper tail matters. */
const MIN_GAP_MS = 50
/** Guess: the memory, in gaps. */
export const MEMORY_GAPS = 20
/** METHODS: abandon. A gap that ended only after this was a failure (Akka learns no interval that ended while unavailable). */
const FAILURE_PHI = 3.5
/** Guess: so many failure gaps in a row, each ended by progress, are a new rhythm. */
const REFUSED_IN_A_ROW = 2
/** Guess: how many gaps of its own a session needs to outweigh what its store taught. */
const PRIOR_GAPS = 4
/** Guess: expected gap before anything is known; the caller's floor is what counts then. */
const COLD_GAP_MS = 150

/** Mean and variance of ln(gap in ms), and on how many gaps they rest. */
export interface KnownGaps {
  readonly meanLog: number
  readonly variance: number
  readonly gaps: number
}

/**
 * Phi accrual on a log-normal gap between signs of progress: `phi(t) = -log10 P(gap > t)`, ln gap ~ N(mean, sigma).
 * Source: Hayashibara et al. 2004; Akka `PhiAccrualFailureDetector.scala`; log-normal because gaps are heavy-tailed
 * (METHODS, Risk). The expected gap never falls below the caller's `floorMs`. Cold start: the prior's rhythm, or the floor.
 */
export class StallSuspicion {
  #meanLog: number
  #variance: number
  #gaps: number
  #refused = 0

  /** A prior weighs at most as much as `mostGaps` gaps. */
  constructor(prior?: KnownGaps, mostGaps: number = PRIOR_GAPS) {
    this.#meanLog = prior?.meanLog ?? Math.log(COLD_GAP_MS)
    this.#variance = prior?.variance ?? MIN_SIGMA ** 2
    this.#gaps = prior === undefined ? 1 : Math.min(mostGaps, prior.gaps)
  }

  get meanLog(): number {
    return this.#meanLog
  }

  get variance(): number {
    return this.#variance
  }

  get gaps(): number {
    return this.#gaps
  }

  get known(): KnownGaps {
    return { meanLog: this.#meanLog, variance: this.#variance, gaps: this.#gaps }
  }

  /** True when the gap was learned, false when it was judged a failure and left out. */
  learn(gapMs: number, floorMs: number): boolean {
    if (this.phi(gapMs, floorMs) >= FAILURE_PHI && this.#refused < REFUSED_IN_A_ROW) {
      this.#refused += 1
      return false
    }
    this.#refused = 0
    const difference = Math.log(Math.max(gapMs, MIN_GAP_MS)) - this.#meanLog
    const gain = 1 / (this.#gaps + 1)
    this.#meanLog += gain * difference
    this.#variance = (1 - gain) * (this.#variance + gain * difference ** 2)
    this.#gaps = Math.min(MEMORY_GAPS, this.#gaps + 1)
    return true
  }

  /** Median of the gaps to expect. */
  expectedGapMs(floorMs: number): number {
    return Math.max(floorMs, Math.exp(this.#meanLog))
  }

  phi(gapMs: number, floorMs: number): number {
    requireQuantity('gapMs', gapMs)
    requireQuantity('floorMs', floorMs)
    if (gapMs === 0) return 0
    const sigma = Math.min(MAX_SIGMA, Math.max(MIN_SIGMA, Math.sqrt(this.#variance)))
    return -log10NormalTail(Math.log(gapMs / this.expectedGapMs(floorMs)) / sigma) || 0
  }
}
