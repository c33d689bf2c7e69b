import { bytesBetween, type RateSchedule, rateAt, timeOfBytes } from './rate-schedule.js'

/** The burst is 20 ms of the rate (the brief's bound): what a timer that fires late may catch up. */
const burstMs = 20

/** The least burst, so that slow rates still pass whole packets: under three of 1460 bytes. */
const leastBurstBytes = 4096

/** How much of our own lateness (a busy machine) is made good at most; a guess. */
const mostLateMs = 250

/**
 * A token bucket over a rate schedule, driven by elapsed time:
 *
 *     tokens(t) = min(tokens(t0) + integral of rate over [t0, t], burst),  burst = max(20 ms x rate(t), 4096), 0 in an outage
 *
 * Pure: time comes in as ms on the caller's clock. When the caller was late itself (its timer fired after it was due),
 * the burst is widened by what the rate would have carried in that time, so that a loaded machine costs no throughput.
 */
export class TokenBucket {
  readonly #startMs: number
  #schedule: RateSchedule
  #refilledMs: number
  #tokens = 0
  #lateBytes = 0

  /** @param startMs the instant, on the caller's clock, that the schedule's 0 means; the bucket starts full there */
  constructor(schedule: RateSchedule, startMs: number) {
    this.#schedule = schedule
    this.#startMs = startMs
    this.#refilledMs = startMs
    this.#tokens = this.#burstBytes
  }

  /** The highest rate that its schedule ever has. */
  get highestBytesPerSecond(): number {
    return this.#schedule.reduce((highest, step) => Math.max(highest, step.bytesPerSecond), 0)
  }

  /** The most that may be asked for at once and will be there one day. */
  get largestTakeBytes(): number {
    return Math.max((this.#rate * burstMs) / 1000, leastBurstBytes)
  }

  /** Whole bytes that may pass now (as of the last refill). */
  get tokens(): number {
    return Math.floor(this.#tokens)
  }

  /** Counts the time up to `nowMs`; `lateMs` says how much of it was the caller's own lateness. */
  refill(nowMs: number, lateMs = 0): void {
    if (nowMs <= this.#refilledMs) return
    const added = bytesBetween(this.#schedule, this.#refilledMs - this.#startMs, nowMs - this.#startMs)
    this.#refilledMs = nowMs
    this.#lateBytes = Math.max(0, this.#lateBytes - added) + (this.#rate * Math.min(lateMs, mostLateMs)) / 1000
    this.#tokens = Math.min(this.#tokens + added, this.#burstBytes + this.#lateBytes)
  }

  take(bytes: number): void {
    this.#tokens -= bytes
  }

  /** When `bytes` tokens will be there, on the caller's clock; `Infinity` in an outage without end. */
  readyAtMs(bytes: number): number {
    const sinceStartMs = this.#refilledMs - this.#startMs
    return this.#startMs + timeOfBytes(this.#schedule, sinceStartMs, bytes - this.#tokens)
  }

  setSchedule(schedule: RateSchedule, nowMs: number): void {
    this.refill(nowMs)
    this.#schedule = schedule
    this.#lateBytes = 0
    this.#tokens = Math.min(this.#tokens, this.#burstBytes)
  }

  get #rate(): number {
    return rateAt(this.#schedule, this.#refilledMs - this.#startMs)
  }

  get #burstBytes(): number {
    return this.#rate > 0 ? this.largestTakeBytes : 0
  }
}
