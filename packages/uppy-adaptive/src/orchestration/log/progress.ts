import { RemainingTime } from 'upload-predictor'
import type { Clock } from '../ports.js'
import type { EventLog } from './event-log.js'

/** How far an upload is. */
export interface UploadProgress {
  /** Acknowledged unique bytes. */
  readonly ackedBytes: number
  /** Null while nobody knows how long a stream is. */
  readonly totalBytes: number | null
  /** Acknowledged unique bytes per second, over the last twenty or so; null for the first two. */
  readonly bytesPerSecond: number | null
  /** When the last byte is expected to be acknowledged, milliseconds from then: four of five ends lie between these. */
  readonly remainingMs: { readonly least: number; readonly most: number } | null
}

/** Acknowledged unique bytes: never goes back, never exceeds the file, never counts a redundant byte (DESIGN 6). */
export class Progress {
  readonly #log: EventLog
  readonly #clock: Pick<Clock, 'now'>
  readonly #time = new RemainingTime()
  readonly totalBytes: number
  #latest: UploadProgress

  /** @param o.totalBytes Infinity: unknown */
  constructor(o: { log: EventLog; clock: Pick<Clock, 'now'>; totalBytes: number }) {
    this.totalBytes = o.totalBytes
    this.#log = o.log
    this.#clock = o.clock
    this.#latest = { ackedBytes: 0, totalBytes: this.#known, bytesPerSecond: null, remainingMs: null }
    this.rest()
  }

  get latest(): UploadProgress {
    return this.#latest
  }

  get #known(): number | null {
    return Number.isFinite(this.totalBytes) ? this.totalBytes : null
  }

  /** Bytes that are there already, and time in which nothing was sent, say nothing of how fast the rest goes. */
  rest(ackedBytes = 0): void {
    this.#time.rest(this.#clock.now(), Math.max(ackedBytes, this.#latest.ackedBytes))
  }

  /** @param ackedBytes may go back, when a store lost what it had acknowledged; what is reported does not */
  report(ackedBytes: number): void {
    const totalBytes = this.#known
    const bounded = Math.min(ackedBytes, this.totalBytes)
    if (bounded <= this.#latest.ackedBytes) return
    this.#time.acknowledged(this.#clock.now(), bounded)
    const estimate = this.#time.estimate(totalBytes === null ? 0 : totalBytes - bounded)
    this.#latest = {
      ...{ ackedBytes: bounded, totalBytes, bytesPerSecond: estimate ? Math.round(estimate.bytesPerSecond) : null },
      remainingMs:
        estimate && totalBytes !== null
          ? { least: Math.round(estimate.leastMs), most: Math.round(estimate.mostMs) }
          : null,
    }
    this.#log.emit({ type: 'progress', ...this.#latest })
  }
}
