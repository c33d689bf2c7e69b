import { requireQuantity } from './predictor-error.js'

/** Guess: the memory, in gaps. */
const MEMORY_GAPS = 50
/** Guess: fewer gaps say nothing. */
const MIN_GAPS = 8

/**
 * Share of gaps between signs of progress that were longer than the RTO, over about the last 50: what a browser can see
 * of loss, and no more than a proxy for it. Source: METHODS, Estimators (loss). The caller leaves out first bytes and
 * gaps that the source or our own pause made. Cold start: undefined until eight gaps were seen.
 */
export class LossProxy {
  #gaps = 0
  #seen = 0
  #late = 0

  add(gapMs: number, rtoMs: number): void {
    requireQuantity('gapMs', gapMs)
    requireQuantity('rtoMs', rtoMs)
    const kept = 1 - 1 / MEMORY_GAPS
    this.#gaps = Math.min(MIN_GAPS, this.#gaps + 1)
    this.#seen = kept * this.#seen + 1
    this.#late = kept * this.#late + (gapMs > rtoMs ? 1 : 0)
  }

  share(): number | undefined {
    return this.#gaps < MIN_GAPS ? undefined : this.#late / this.#seen
  }
}
