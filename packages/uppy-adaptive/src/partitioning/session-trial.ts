import type { RateSample, RateWindow } from './rate-window.js'

/** New connections need their slow start: so many round trips, at least this long, are not counted (guess). */
const SETTLE_RTTS = 4
const LEAST_SETTLE_MS = 250
const MOST_SETTLE_MS = 2_000
/** A trial lasts until the difference stands out of the noise, within these bounds (guess). */
const LEAST_TRIAL_MS = 500
const MOST_TRIAL_MS = 2_500
/** Standard errors that stand out (guess: one, as a wrong step costs a trial and no byte). */
const CLEAR = 1
/** Share of what as many more sessions would bring if each brought as much as those before (guess). */
const LEAST_GAIN_SHARE = 0.25
/** What they must bring together where each has a small window and takes nothing from others, as a share of the rate before (guess: twice the error of even rates). */
const LEAST_WINDOW_GAIN = 0.1
/** METHODS, Scheduling: doubled while the last doubling gave 40 % more. */
const RAMP_GAIN_SHARE = 0.4
/** Share of a session's part that may be missing after it was given back (guess). */
const MOST_LOSS_SHARE = 0.3

export interface TrialVerdict {
  /** The number that was tried stays. */
  readonly holds: boolean
  /** As many more once more are likely to pay too. */
  readonly hasRoomToRamp: boolean
  readonly after: RateSample
  /** From when on the rates are those of the number that was tried. */
  readonly settledAtMs: number
}

/** Another number of sessions that is being tried, against the rate before it. */
export class SessionTrial {
  readonly from: number
  readonly to: number
  readonly before: RateSample
  readonly #hasSmallWindows: boolean
  #sinceMs: number

  constructor(o: { from: number; to: number; before: RateSample; nowMs: number; hasSmallWindows: boolean }) {
    this.from = o.from
    this.to = o.to
    this.before = o.before
    this.#sinceMs = o.nowMs
    this.#hasSmallWindows = o.hasSmallWindows
  }

  get isUp(): boolean {
    return this.to > this.from
  }

  /** The number that is tried does not send yet. */
  delay(nowMs: number): void {
    this.#sinceMs = nowMs
  }

  /** Means are compared by their difference over its standard error (Welch). Undefined while it does not stand out. */
  judge(rates: RateWindow, requestRttMs: number): TrialVerdict | undefined {
    const settleMs = Math.min(MOST_SETTLE_MS, Math.max(LEAST_SETTLE_MS, SETTLE_RTTS * requestRttMs))
    const settledAtMs = this.#sinceMs + settleMs
    const after = rates.since(settledAtMs)
    if (after.durationMs < LEAST_TRIAL_MS) return undefined
    const grown = after.mean - this.before.mean
    const proportional = (this.before.mean * Math.abs(this.to - this.from)) / this.from
    const leastGain = this.#hasSmallWindows ? LEAST_WINDOW_GAIN * this.before.mean : LEAST_GAIN_SHARE * proportional
    const bound = this.isUp ? leastGain : -MOST_LOSS_SHARE * proportional
    const error = Math.hypot(this.before.standardError, after.standardError)
    // streams that take nothing from others may stay by mistake: waiting costs more
    const isPlain = this.#hasSmallWindows && this.isUp && grown > bound
    if (!isPlain && Math.abs(grown - bound) < CLEAR * error && after.durationMs < MOST_TRIAL_MS) return undefined
    return { holds: grown > bound, hasRoomToRamp: grown >= RAMP_GAIN_SHARE * proportional, after, settledAtMs }
  }
}
