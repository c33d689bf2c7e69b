import { requireQuantity } from './predictor-error.js'

/** Guess: half of what was seen is forgotten after 10 s of transfer, so that sizes rise again within 10-20 s. */
const HALF_LIFE_SECONDS = 10

/** Faded counts, without the prior. */
export interface FailureEvidence {
  readonly failures: number
  readonly seconds: number
}

/** Guess: hazard ~ Gamma(0.25, 15 s), a mean of one failure in 60 s; light, so that one failure is felt. */
const PRIOR: FailureEvidence = { failures: 0.25, seconds: 15 }

/**
 * How often a session of one store fails: Gamma-Poisson with forgetting. `a = a0 + A`, `b = b0 + B`; every t seconds of
 * transfer `A, B <- g A, g B + t` with `g = 0.5^(t / halfLife)`, every failure `A <- A + weight`.
 * `P(fail within T) = 1 - (b / (b + T))^a`; mean time between failures `b / a`.
 * Source: METHODS, Risk (server failure history). Time is transfer time, so idleness forgets nothing.
 * Cold start: 60 s between failures.
 */
export class FailureHistory {
  readonly #prior: FailureEvidence
  #failures: number
  #seconds: number

  constructor(known: FailureEvidence = { failures: 0, seconds: 0 }, prior: FailureEvidence = PRIOR) {
    this.#prior = prior
    this.#failures = known.failures
    this.#seconds = known.seconds
  }

  get evidence(): FailureEvidence {
    return { failures: this.#failures, seconds: this.#seconds }
  }

  /** Time in which a session of this store made progress. */
  transferred(durationMs: number): void {
    requireQuantity('durationMs', durationMs)
    const seconds = durationMs / 1000
    const kept = 0.5 ** (seconds / HALF_LIFE_SECONDS)
    this.#failures *= kept
    this.#seconds = kept * this.#seconds + seconds * Math.sqrt(kept)
  }

  /** `weight` is 1 - P(link bad), halved where failure was only suspected. */
  failed(weight: number): void {
    requireQuantity('weight', weight)
    this.#failures += weight
  }

  /** Takes back what `failed` counted, when it turns out to have been the link. */
  retract(weight: number): void {
    requireQuantity('weight', weight)
    this.#failures = Math.max(0, this.#failures - weight)
  }

  /** The rate's Gamma posterior, prior included: shape `failures`, rate `seconds`. */
  get posterior(): FailureEvidence {
    return { failures: this.#prior.failures + this.#failures, seconds: this.#prior.seconds + this.#seconds }
  }

  get failuresPerSecond(): number {
    return (this.#prior.failures + this.#failures) / (this.#prior.seconds + this.#seconds)
  }

  get meanTimeBetweenFailuresMs(): number {
    return 1000 / this.failuresPerSecond
  }

  probabilityWithin(durationMs: number): number {
    requireQuantity('durationMs', durationMs)
    const seconds = this.#prior.seconds + this.#seconds
    return 1 - (seconds / (seconds + durationMs / 1000)) ** (this.#prior.failures + this.#failures)
  }
}
