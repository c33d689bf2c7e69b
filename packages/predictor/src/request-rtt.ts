import { requireQuantity, requireTime } from './predictor-error.js'

/** RFC 6298 section 2.1: before any sample. */
const INITIAL_RTO_MS = 1_000
/** Guess. RFC 6298 says 1 s, for TCP's sake; a probe that waits so long answers too late. Kept above a delayed ACK. */
const MIN_RTO_MS = 300
/** RFC 6298 section 2.5. A longer round trip, as of a machine that slept meanwhile, counts as so long. */
const MAX_RTO_MS = 60_000
/** METHODS: windowed minimum over 30 s, kept as six buckets of 5 s, so it forgets after 25 to 30 s. */
const BUCKET_MS = 5_000
const BUCKETS = 6

export interface KnownRtt {
  readonly smoothedMs: number
  readonly variationMs: number
  readonly minimumMs: number
}

/**
 * Round trip of small HTTP requests (not TCP's): `RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|`, then
 * `SRTT = 7/8 SRTT + 1/8 R`, `RTO = SRTT + 4 RTTVAR`. Source: RFC 6298. Ambiguous (hedged) samples must not be fed
 * (Karn). Cold start: no round trip, RTO 1 s.
 */
export class RequestRtt {
  #smoothedMs: number | undefined
  #variationMs = 0
  readonly #minimaMs: number[] = new Array<number>(BUCKETS).fill(Number.POSITIVE_INFINITY)
  #bucket = 0

  /** What was known before counts as seen now. */
  constructor(known?: KnownRtt & { nowMs: number }) {
    if (known === undefined) return
    this.add({ nowMs: known.nowMs, roundTripMs: known.minimumMs })
    this.#smoothedMs = known.smoothedMs
    this.#variationMs = known.variationMs
  }

  get known(): KnownRtt | undefined {
    if (this.#smoothedMs === undefined) return undefined
    const minimumMs = Math.min(this.#smoothedMs, ...this.#minimaMs)
    return { smoothedMs: this.#smoothedMs, variationMs: this.#variationMs, minimumMs }
  }

  add(sample: { nowMs: number; roundTripMs: number }): void {
    requireTime(sample.nowMs)
    requireQuantity('roundTripMs', sample.roundTripMs)
    const roundTripMs = Math.min(MAX_RTO_MS, sample.roundTripMs)
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = roundTripMs
      this.#variationMs = roundTripMs / 2
      this.#bucket = Math.floor(sample.nowMs / BUCKET_MS)
    } else {
      this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(this.#smoothedMs - roundTripMs)
      this.#smoothedMs = 0.875 * this.#smoothedMs + 0.125 * roundTripMs
    }
    this.#expire(sample.nowMs)
    const slot = slotOf(this.#bucket)
    this.#minimaMs[slot] = Math.min(this.#minimaMs[slot] ?? Number.POSITIVE_INFINITY, roundTripMs)
  }

  get smoothedMs(): number | undefined {
    return this.#smoothedMs
  }

  get rtoMs(): number {
    if (this.#smoothedMs === undefined) return INITIAL_RTO_MS
    return Math.min(MAX_RTO_MS, Math.max(MIN_RTO_MS, this.#smoothedMs + 4 * this.#variationMs))
  }

  /** Smallest sample of the last 25 to 30 s; undefined when there was none. */
  minimumMs(nowMs: number): number | undefined {
    this.#expire(nowMs)
    const minimum = Math.min(...this.#minimaMs)
    return Number.isFinite(minimum) ? minimum : undefined
  }

  /** Smoothed round trip above the windowed minimum: a sign of load. Cold start: 0. */
  queueingDelayMs(nowMs: number): number {
    if (this.#smoothedMs === undefined) return 0
    const minimum = this.minimumMs(nowMs)
    return minimum === undefined ? 0 : Math.max(0, this.#smoothedMs - minimum)
  }

  #expire(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS)
    for (let passed = 1; passed <= Math.min(BUCKETS, bucket - this.#bucket); passed++) {
      this.#minimaMs[slotOf(this.#bucket + passed)] = Number.POSITIVE_INFINITY
    }
    this.#bucket = Math.max(this.#bucket, bucket)
  }
}

function slotOf(bucket: number): number {
  return ((bucket % BUCKETS) + BUCKETS) % BUCKETS
}
