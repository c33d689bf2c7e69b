import { PredictorError, requireQuantity, requireTime } from './predictor-error.js'

/** Guess: how soon a report of load says half as much. */
const HALF_LIFE_MS = 10_000
/** Guess: a longer Retry-After is believed for this long. */
const LONGEST_BUSY_MS = 300_000
/** Guess: a queue this long is half of full load. */
const HALF_LOADED_MS = 300
/** Guess: where a server that refuses for load names no time. */
const USUAL_BUSY_MS = 5_000

/**
 * How busy a store says that it is, 0 to 1: its last report, which fades with a half-life of 10 s, and 1 for as long as it
 * asked to be left alone (429 or 503 with Retry-After: load, not failure). Source: METHODS, Risk (server load);
 * the report is the protocol's `Reconcile-Load`. Cold start: 0.
 */
export class ServerLoad {
  #reported = 0
  #reportedMs = Number.NEGATIVE_INFINITY
  #busyUntilMs = Number.NEGATIVE_INFINITY

  reported(o: { nowMs: number; load: number }): void {
    requireTime(o.nowMs)
    requireLoad(o.load)
    this.#reported = o.load
    this.#reportedMs = o.nowMs
    this.#busyUntilMs = Number.NEGATIVE_INFINITY
  }

  /** It refused a request for load. `retryAfterMs`: default 5 s, at most 5 min is believed. */
  busy(o: { nowMs: number; retryAfterMs?: number | undefined }): void {
    requireTime(o.nowMs)
    const forMs = o.retryAfterMs ?? USUAL_BUSY_MS
    requireQuantity('retryAfterMs', forMs)
    this.#reported = 1
    this.#reportedMs = o.nowMs + Math.min(LONGEST_BUSY_MS, forMs)
    this.#busyUntilMs = this.#reportedMs
  }

  share(nowMs: number): number {
    if (nowMs <= this.#busyUntilMs) return 1
    return this.#reported * 0.5 ** (Math.max(0, nowMs - this.#reportedMs) / HALF_LIFE_MS)
  }
}

/** Reported load and queueing as one share: squared, for a server at half its load answers as ever. */
export function loadPressure(o: { share: number; queueingDelayMs: number }): number {
  return Math.max(o.share ** 2, o.queueingDelayMs / (o.queueingDelayMs + HALF_LOADED_MS))
}

export function requireLoad(load: number): void {
  requireQuantity('load', load)
  if (load > 1) throw new PredictorError('invalidQuantity', `load must be at most 1, got ${String(load)}`)
}
