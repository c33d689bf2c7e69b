import type { Clock } from './ports.js'
import { quote } from './quote.js'
import { pause } from './timing.js'
import { UploadError } from './upload-error.js'

/** Under this nothing gets anywhere: a block would take a minute (guess). */
const LEAST_BYTES_PER_SECOND = 4_096
/** What a request costs on the wire beside its body: request line and headers (measured: 500 to 700 bytes in Node and Chromium). */
const REQUEST_BYTES = 600
/** A body that was late may be made up for by so much, as timers are late: more would be a burst (guess). */
const MOST_CREDIT_MS = 50
/** A body lasts at least so long at the capped rate, and so many round trips, so that requests one after another reach it (guess). */
const LEAST_BODY_MS = 100
const BODY_ROUND_TRIPS = 2
/** Smaller bodies cost more in headers than they even out (guess). */
const LEAST_BODY_BYTES = 16 * 1024
/** Beyond this the cap is kept over too long a time to be called one (guess). */
const LONGEST_BODY_MS = 1_000

/**
 * A cap on what all uploads that share it send, bytes per second. A page cannot slow a body down, so bodies are small and
 * begin in turn: each goes at the path's own rate, and the cap holds over seconds. It may be changed while they run.
 */
export class RateCap {
  #bytesPerSecond: number
  #freeAtMs = Number.NEGATIVE_INFINITY

  /** @throws UploadError `bad-option` */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = parseRate(bytesPerSecond)
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  /** Infinity lifts the cap. @throws UploadError `bad-option` */
  set bytesPerSecond(value: number) {
    this.#bytesPerSecond = parseRate(value)
  }

  /** The largest body that keeps it, given a small request's round trip. */
  bodyBytes(roundTripMs: number): number {
    const lastsMs = Math.min(LONGEST_BODY_MS, Math.max(LEAST_BODY_MS, BODY_ROUND_TRIPS * roundTripMs))
    return Math.max(LEAST_BODY_BYTES, Math.ceil((this.#bytesPerSecond * lastsMs) / 1000))
  }

  /** Resolves when a body of this size may begin, or its signal fires. Bodies begin in the order of their calls. */
  async admit(bytes: number, { clock, signal }: { clock: Clock; signal: AbortSignal }): Promise<void> {
    const nowMs = clock.now()
    const lastsMs = ((bytes + REQUEST_BYTES) * 1000) / this.#bytesPerSecond
    const atMs = Math.max(this.#freeAtMs, nowMs - MOST_CREDIT_MS)
    this.#freeAtMs = atMs + lastsMs
    if (atMs > nowMs) await pause(clock, atMs - nowMs, signal)
    // it is not sent: those behind it may be sooner
    if (signal.aborted) this.#freeAtMs -= lastsMs
  }
}

function parseRate(value: unknown): number {
  if (typeof value === 'number' && value >= LEAST_BYTES_PER_SECOND) return value
  const message = `maxRate must be ${LEAST_BYTES_PER_SECOND} bytes per second or more, or a RateCap, not ${quote(value)}`
  throw new UploadError('bad-option', message)
}
