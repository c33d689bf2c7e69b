import { RateHistory } from './rate-history.js'
import { parseRate, type RateSchedule, type RateStep } from './rate-schedule.js'
import { TokenBucket } from './token-bucket.js'

/** Rates of the two directions: bytes per second, or steps whose `atMs` counts from the start of what they belong to. */
export type Rates = {
  readonly upBytesPerSecond?: number | RateSchedule
  readonly downBytesPerSecond?: number | RateSchedule
}

/** The two rates of a link or a last mile, one token bucket each, and the record of what was in force. */
export class RatedPath {
  /** The start, on the clock of `performance.now()`. */
  readonly startedAtMs: number = performance.now()
  readonly up: TokenBucket
  readonly down: TokenBucket
  readonly #history: RateHistory

  constructor({ upBytesPerSecond, downBytesPerSecond }: Rates) {
    const up = parseRate(upBytesPerSecond ?? Number.POSITIVE_INFINITY, 'upBytesPerSecond')
    const down = parseRate(downBytesPerSecond ?? Number.POSITIVE_INFINITY, 'downBytesPerSecond')
    this.up = new TokenBucket(up, this.startedAtMs)
    this.down = new TokenBucket(down, this.startedAtMs)
    this.#history = new RateHistory(up)
  }

  get rateHistory(): RateStep[] {
    return this.#history.stepsUntil(this.#elapsedMs)
  }

  set({ upBytesPerSecond, downBytesPerSecond }: Rates): void {
    const nowMs = performance.now()
    const up = upBytesPerSecond === undefined ? undefined : parseRate(upBytesPerSecond, 'upBytesPerSecond')
    const down = downBytesPerSecond === undefined ? undefined : parseRate(downBytesPerSecond, 'downBytesPerSecond')
    if (up !== undefined) {
      this.up.setSchedule(up, nowMs)
      this.#history.setSchedule(up, this.#elapsedMs)
    }
    if (down !== undefined) this.down.setSchedule(down, nowMs)
  }

  /** Records whether anything gets through at all; holding bytes back is the caller's. */
  recordOpen(isOpen: boolean): void {
    this.#history.setOpen(isOpen, this.#elapsedMs)
  }

  get #elapsedMs(): number {
    return performance.now() - this.startedAtMs
  }
}
