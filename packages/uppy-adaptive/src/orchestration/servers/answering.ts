/** Answers that follow each other so soon belong together (guess: questions in doubt come twice a second, claims about once). */
const LONGEST_PAUSE_MS = 1_500
/** An answer that takes longer, and longer than a retransmission time-out, was held up on its way (guess). */
export const LATE_MS = 500

/**
 * For how long an address has answered what it was asked, without a break and without being held up. Only what goes there
 * and comes back counts: a heartbeat comes down a link that lets nothing up.
 */
export class Answering {
  #sinceMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY
  /** What the slowest of these answers took. */
  slowestMs = 0

  /** `askedMs`: when the question went out on the connection that brought the answer. */
  note({ nowMs, askedMs, rtoMs }: { nowMs: number; askedMs: number; rtoMs: number }): void {
    const tookMs = nowMs - askedMs
    const isHeldUp = tookMs > Math.max(LATE_MS, rtoMs)
    if (isHeldUp || nowMs - this.#lastMs > LONGEST_PAUSE_MS) this.#begin(isHeldUp ? nowMs : askedMs)
    if (!isHeldUp) this.slowestMs = Math.max(this.slowestMs, tookMs)
    this.#lastMs = nowMs
  }

  /** A question was not answered in its time. */
  lost(): void {
    this.#lastMs = Number.NEGATIVE_INFINITY
  }

  get sinceMs(): number {
    return this.#sinceMs
  }

  /** How much of the time since then; 0 once a question was lost. */
  forMs(sinceMs: number): number {
    return Math.max(0, this.#lastMs - Math.max(sinceMs, this.#sinceMs))
  }

  #begin(sinceMs: number): void {
    this.#sinceMs = sinceMs
    this.slowestMs = 0
  }
}
