import { estimateRemainingMs } from './completion-time.js'
import { Ewma } from './ewma.js'
import { requireInput } from './predictor-error.js'

/** Rates of shorter stretches say more of how acknowledgements are bundled than of the path (guess). */
const WINDOW_MS = 1_000
/** Longer than the goodput's: an upload's end is not decided by its last seconds (guess). */
const HALF_LIFE_MS = 20_000
/** Nothing is said before so much was seen (guess). */
const LEAST_SEEN_MS = 2_000
/** Rates are alike for about so long: what of their variation averages out over the rest (measured on recorded traces). */
const ALIKE_MS = 12_000
/** A path that has been steady so far may still change: the least spread, as a share (measured likewise). */
const LEAST_SPREAD = 0.15
/**
 * Standard deviations to either side, so that four of five ends lie within. Measured at 10 to 90 % of uploads of 10 to 300 s
 * (npm run bench:eta): 0.78 to 0.94 on six recorded links, 0.76 to 1 on made-up ones, 0.89 over all, with mostMs 2.9 times
 * leastMs.
 */
const WIDTH = 2.4

export interface RemainingTimeEstimate {
  readonly bytesPerSecond: number
  /** The interval in which the end is expected, milliseconds from now. */
  readonly leastMs: number
  readonly mostMs: number
}

/**
 * How long the rest of an upload takes, as an interval: the mean rate of acknowledged unique bytes, and how far the mean
 * over the rest may be from it. That spread is `WIDTH * cv * sqrt(A / (A + T) + A / (A + H))` with the coefficient of
 * variation of rates in windows of a second, the time A for which rates are alike, the expected rest T and what was seen, H.
 * Cold start: undefined for two seconds.
 */
export class RemainingTime {
  readonly #mean = new Ewma(HALF_LIFE_MS)
  readonly #square = new Ewma(HALF_LIFE_MS)
  #sinceMs: number | undefined
  #sinceBytes = 0

  /** Time that says nothing of the path has passed: a pause, a machine's sleep, bytes that were there before. */
  rest(nowMs: number, ackedBytes: number): void {
    requireInput('nowMs', nowMs)
    requireInput('ackedBytes', ackedBytes)
    this.#sinceMs = nowMs
    this.#sinceBytes = ackedBytes
  }

  /** So many bytes of the file are acknowledged, each counted once; never fewer than before. */
  acknowledged(nowMs: number, ackedBytes: number): void {
    if (this.#sinceMs === undefined) return this.rest(nowMs, ackedBytes)
    requireInput('nowMs', nowMs)
    requireInput('ackedBytes', ackedBytes)
    const durationMs = nowMs - this.#sinceMs
    if (durationMs < WINDOW_MS) return
    const bytesPerSecond = (Math.max(0, ackedBytes - this.#sinceBytes) * 1000) / durationMs
    this.#mean.add(bytesPerSecond, durationMs)
    this.#square.add(bytesPerSecond ** 2, durationMs)
    this.rest(nowMs, ackedBytes)
  }

  estimate(remainingBytes: number): RemainingTimeEstimate | undefined {
    const bytesPerSecond = this.#mean.estimate()
    const square = this.#square.estimate()
    const seenMs = this.#mean.weightMs
    if (bytesPerSecond === undefined || square === undefined || seenMs < LEAST_SEEN_MS) return undefined
    const expectedMs = estimateRemainingMs(remainingBytes, bytesPerSecond)
    const variation = Math.sqrt(Math.max(0, square - bytesPerSecond ** 2)) / Math.max(bytesPerSecond, 1)
    const unknown = ALIKE_MS / (ALIKE_MS + expectedMs) + ALIKE_MS / (ALIKE_MS + Math.min(seenMs, HALF_LIFE_MS))
    const spread = LEAST_SPREAD + WIDTH * variation * Math.sqrt(unknown)
    return { bytesPerSecond, leastMs: expectedMs / (1 + spread), mostMs: expectedMs * (1 + spread) }
  }
}
