import { requireQuantity } from './predictor-error.js'

/**
 * Exponentially weighted mean whose samples weigh as long as they lasted, corrected for its start at zero:
 * `a = 0.5^(w / halfLife)`, `E = (1 - a) x + a E`, answer `E / (1 - 0.5^(W / halfLife))`, W the sum of all weights.
 * Source: Shaka player, `lib/abr/ewma.js` (METHODS, Estimators). Cold start: undefined.
 */
export class Ewma {
  readonly #halfLifeMs: number
  #biased = 0
  #weightMs = 0
  /** 0.5^(W / halfLife): how much of the estimate is still its start. */
  #unseen = 1

  /** `known`: an earlier estimate, which weighs as a sample of its `weightMs`. */
  constructor(halfLifeMs: number, known?: { value: number; weightMs: number }) {
    requireQuantity('halfLifeMs', halfLifeMs)
    this.#halfLifeMs = Math.max(halfLifeMs, Number.MIN_VALUE)
    if (known !== undefined) this.add(known.value, known.weightMs)
  }

  /** Sum of the weights of all samples so far. */
  get weightMs(): number {
    return this.#weightMs
  }

  add(value: number, durationMs: number): void {
    requireQuantity('value', value)
    requireQuantity('durationMs', durationMs)
    const kept = 0.5 ** (durationMs / this.#halfLifeMs)
    this.#biased = (1 - kept) * value + kept * this.#biased
    this.#weightMs += durationMs
    this.#unseen *= kept
  }

  estimate(): number | undefined {
    return this.#unseen < 1 ? this.#biased / (1 - this.#unseen) : undefined
  }
}
