import type { EventLog } from './event-log.js'

/** Acknowledged unique bytes: never goes back, never exceeds the file, never counts a redundant byte (DESIGN 6). */
export class Progress {
  readonly #log: EventLog
  readonly totalBytes: number
  #reported = 0

  constructor(log: EventLog, totalBytes: number) {
    this.#log = log
    this.totalBytes = totalBytes
  }

  /** @param ackedBytes may go back, when a store lost what it had acknowledged; what is reported does not */
  report(ackedBytes: number): void {
    const bounded = Math.min(ackedBytes, this.totalBytes)
    if (bounded <= this.#reported) return
    this.#reported = bounded
    this.#log.emit({ type: 'progress', ackedBytes: bounded, totalBytes: this.totalBytes })
  }
}
