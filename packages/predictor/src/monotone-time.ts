import { PredictorError, requireTime } from './predictor-error.js'

/** Guess: events reported out of order are late by less than this; a larger step back is a clock that was set anew. */
const REORDERING_MS = 5_000

/**
 * The caller's clock made monotone. A small step back counts as no time passed (clamped); a large one as a restarted
 * clock, after which time runs on from where it stood, so that neither kind can freeze or poison a state.
 */
export class MonotoneTime {
  #latestMs: number | undefined
  #offsetMs = 0

  /** The latest time told, on our own axis. Cold start: 0. */
  get nowMs(): number {
    return this.#latestMs ?? 0
  }

  advance(nowMs: number): number {
    requireTime(nowMs)
    if (Math.abs(nowMs) > Number.MAX_SAFE_INTEGER)
      throw new PredictorError('invalidTime', `nowMs is out of range: ${nowMs}`)
    const latestMs = this.#latestMs
    if (latestMs === undefined) {
      this.#latestMs = nowMs
      return nowMs
    }
    const shiftedMs = nowMs + this.#offsetMs
    if (shiftedMs < latestMs - REORDERING_MS) this.#offsetMs += latestMs - shiftedMs
    this.#latestMs = Math.max(latestMs, shiftedMs)
    return this.#latestMs
  }

  /** A time on our axis as the caller's clock would now say it. */
  callersMs(timeMs: number): number {
    return timeMs - this.#offsetMs
  }
}
