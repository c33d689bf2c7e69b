import { type CensoredLog, refine } from './censored-normal.js'
import { logNormalTail } from './normal-tail.js'
import { PredictorError, requireQuantity } from './predictor-error.js'

/** METHODS, Risk: the last 64 outcomes. */
const WINDOW = 64
/** Guess: before any outcome ln ratio ~ N(0, 0.5), so that 8 % take over twice their plan (METHODS, finding 3: 4-6 %). */
const PRIOR_SIGMA = 0.5
/** Guess: the prior weighs as much as so many outcomes. */
const PRIOR_OUTCOMES = 4
const PRIOR = { values: PRIOR_OUTCOMES, variance: PRIOR_SIGMA ** 2 }
/** Guess: no fleet is more even than this, and a wider spread says nothing. */
const MIN_SIGMA = 0.1
const MAX_SIGMA = 2
/** Guess: a ratio beyond these says that the plan was no plan. */
const LEAST_RATIO = 1e-3
const MOST_RATIO = 1e3
/** Every outcome goes on from the last fit, so that few steps do; what is remembered from before starts from nothing. */
const FIT_STEPS = 5
const FIRST_FIT_STEPS = 40
const FIT_PRECISION = 1e-9

/** ln(actual / planned); censored where others ended the session at this ratio: it would have taken longer. */
export type CompletionOutcome = CensoredLog

/**
 * How much longer than planned a store's sessions take: ln(actual / planned) ~ N(mean, sigma), fitted to the last 64
 * outcomes by expectation-maximisation (`refine`), superseded ones right-censored: `S(r) = Q((ln r - mean) / sigma)`,
 * `P(R > d | R > t) = S(d) / S(t)`. Units: ratios, 1 = as planned. Source: METHODS, Risk (completion time). Cold start: mean 0, sigma 0.5, which weigh as much as four outcomes.
 */
export class CompletionSurvival {
  readonly #outcomes: CompletionOutcome[]
  #mean = 0
  #sigma = PRIOR_SIGMA

  constructor(known: readonly CompletionOutcome[] = []) {
    this.#outcomes = known.slice(-WINDOW)
    this.#fit(FIRST_FIT_STEPS)
  }

  /** The last 64, oldest first. */
  get recent(): readonly CompletionOutcome[] {
    return this.#outcomes
  }

  /** How many outcomes it rests on. */
  get outcomes(): number {
    return this.#outcomes.length
  }

  /** Mean and standard deviation of ln(actual / planned). */
  get meanLog(): number {
    return this.#mean
  }

  get sigmaLog(): number {
    return this.#sigma
  }

  completed(ratio: number): void {
    this.#add(ratio, false)
  }

  /** Ended by others after so much of its plan: right-censored. */
  censored(ratio: number): void {
    this.#add(ratio, true)
  }

  /** P(R > ratio | R > given). */
  survival(ratio: number, given = 0): number {
    requireQuantity('ratio', ratio)
    requireQuantity('given', given)
    return Math.exp(this.#logTail(Math.max(ratio, given)) - this.#logTail(given))
  }

  /** Expected R - given of those that outlive `given`. */
  residual(given = 0): number {
    requireQuantity('given', given)
    const z = this.#z(given)
    const logMean = this.#mean + this.#sigma ** 2 / 2 + logNormalTail(z - this.#sigma) - logNormalTail(z)
    return Math.max(0, Math.exp(logMean) - clampRatio(given))
  }

  #add(ratio: number, censored: boolean): void {
    if (!Number.isFinite(ratio) || ratio <= 0) {
      throw new PredictorError('invalidQuantity', `ratio must be a finite number > 0, got ${String(ratio)}`)
    }
    this.#outcomes.push({ log: Math.log(clampRatio(ratio)), censored })
    if (this.#outcomes.length > WINDOW) this.#outcomes.shift()
    this.#fit(FIT_STEPS)
  }

  #logTail(ratio: number): number {
    return logNormalTail(this.#z(ratio))
  }

  #z(ratio: number): number {
    return (Math.log(clampRatio(ratio)) - this.#mean) / this.#sigma
  }

  #fit(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const before = this.#mean
      const { mean, variance } = refine(this.#outcomes, { mean: before, sigma: this.#sigma }, PRIOR)
      this.#mean = mean
      this.#sigma = Math.min(MAX_SIGMA, Math.max(MIN_SIGMA, Math.sqrt(variance)))
      if (Math.abs(mean - before) < FIT_PRECISION) return
    }
  }
}

function clampRatio(ratio: number): number {
  return Math.min(MOST_RATIO, Math.max(LEAST_RATIO, ratio))
}
