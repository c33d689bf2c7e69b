import type { FailureHistory } from './failure-history.js'

/** Guess: signs of life so soon after a failure may have been under way before it. */
const SKEW_MS = 300
/** Guess: by then a live link would have shown itself. */
const DECIDE_AFTER_MS = 500
/** Guess: a verdict comes no later. */
const FORGET_AFTER_MS = 2_000
/** Guess: failures of two stores this close, with no sign of life after them, have one cause. */
const COMMON_CAUSE_MS = 1_000
/** Memory is bounded: older failures simply stay counted. */
const MOST = 16

interface CountedFailure {
  store: string
  atMs: number
  weight: number
  history: FailureHistory
}

/**
 * Second thoughts about failures: each counts at once, and is taken back within 2 s if it turns out to have been the
 * link, because P(link bad) rose after it or several stores failed together with nobody alive since.
 */
export class FailureAttribution {
  #open: CountedFailure[] = []

  failed(failure: CountedFailure): void {
    failure.history.failed(failure.weight)
    this.#open = [...this.#open.slice(1 - MOST), failure]
  }

  /** Something came through the link: failures that lie clearly before it stand. */
  signOfLife(nowMs: number): void {
    if (this.#open.length > 0) this.#open = this.#open.filter(({ atMs }) => nowMs - atMs < SKEW_MS)
  }

  review(nowMs: number, pLinkNotGood: number): void {
    const due = this.#open.filter(({ atMs }) => nowMs - atMs >= DECIDE_AFTER_MS)
    // the first waits for the last: they are taken back together
    const common = (a: CountedFailure): boolean =>
      due.some((b) => b.store !== a.store && Math.abs(b.atMs - a.atMs) <= COMMON_CAUSE_MS)
    const taken = due.filter((failure) => pLinkNotGood > 0.5 || common(failure))
    for (const { history, weight } of taken) history.retract(weight)
    this.#open = this.#open.filter((failure) => !taken.includes(failure) && nowMs - failure.atMs < FORGET_AFTER_MS)
  }
}
