/** Planned time of every session (METHODS, finding 3). */
export const PLANNED_MS = 5_000
/** A session that takes longer than so many times its plan is a straggler. */
const STRAGGLER_FACTOR = 2
/** The client gives up after so much silence. */
const NO_PROGRESS_MS = 30_000
/** Linux: least retransmission timeout, before the round trip. */
const MIN_RTO_MS = 200
/** Guess: shorter outages only queue; longer ones lose packets, and TCP's back-off decides when to resume. */
const LOSSLESS_OUTAGE_MS = 1_500
/** RFC 6928: ten segments. */
const FIRST_WINDOW_BYTES = 14_600
/** Beyond this a doubling window is no limit. */
const MOST_DOUBLINGS = 20

export type SessionEnd = 'completed' | 'failed' | 'unfinished'

/** One session as the world knows it: what is sent, what is acknowledged, what holds it up. */
export class SimulatedSession {
  readonly id: string
  readonly store: number
  readonly bytes: number
  readonly startedMs: number
  readonly roundTripMs: number
  /** Whether a long outage loses packets, so that TCP waits for its next try. */
  readonly backsOff: boolean
  setupLeftMs: number
  deliveredBytes = 0
  ackedBytes = 0
  lastMovedMs: number
  nextAckMs: number
  /** Its connection is stuck for good. */
  isStuck = false
  /** Ends in an error at this time. */
  failsAtMs: number | undefined
  faultAtMs: number | undefined
  linkFaultAtMs: number | undefined
  endedMs: number | undefined
  end: SessionEnd | undefined
  #linkDownSinceMs: number | undefined
  #resumesAtMs = 0
  #movingSinceMs: number | undefined

  constructor(o: {
    id: string
    store: number
    bytes: number
    startedMs: number
    roundTripMs: number
    ackPhaseMs: number
    backsOff: boolean
  }) {
    this.backsOff = o.backsOff
    this.id = o.id
    this.store = o.store
    this.bytes = o.bytes
    this.startedMs = o.startedMs
    this.roundTripMs = o.roundTripMs
    // TCP, TLS, the request
    this.setupLeftMs = 3 * o.roundTripMs
    this.lastMovedMs = o.startedMs
    this.nextAckMs = o.startedMs + o.ackPhaseMs
  }

  get plannedBytesPerMs(): number {
    return this.bytes / PLANNED_MS
  }

  get failed(): boolean {
    return this.end !== 'completed' || (this.endedMs ?? 0) - this.startedMs > STRAGGLER_FACTOR * PLANNED_MS
  }

  timesOutBy(nowMs: number): boolean {
    return nowMs - this.lastMovedMs >= NO_PROGRESS_MS
  }

  /** Told of the link at every step: a long outage costs the wait for TCP's next try. */
  noticeLink(nowMs: number, isUp: boolean): void {
    if (!isUp) {
      this.#linkDownSinceMs ??= nowMs
      return
    }
    const sinceMs = this.#linkDownSinceMs
    this.#linkDownSinceMs = undefined
    if (sinceMs === undefined || !this.backsOff || this.setupLeftMs > 0) return
    if (nowMs - sinceMs < LOSSLESS_OUTAGE_MS) return
    this.#resumesAtMs = nextRetransmissionMs(sinceMs, nowMs, MIN_RTO_MS + this.roundTripMs)
    this.#movingSinceMs = undefined
  }

  /** Most that the window lets through in a step. */
  windowBytes(nowMs: number, stepMs: number): number {
    if (this.setupLeftMs > 0 || this.isStuck || nowMs < this.#resumesAtMs) return 0
    this.#movingSinceMs ??= nowMs
    const doublings = Math.min(MOST_DOUBLINGS, (nowMs - this.#movingSinceMs) / this.roundTripMs)
    return (FIRST_WINDOW_BYTES * 2 ** doublings * stepMs) / this.roundTripMs
  }

  deliver(bytes: number, nowMs: number): void {
    if (bytes <= 0) return
    this.deliveredBytes = Math.min(this.bytes, this.deliveredBytes + bytes)
    this.lastMovedMs = nowMs
  }
}

/** TCP tries again at RTO, 3 RTO, 7 RTO ... after it fell silent. */
export function nextRetransmissionMs(silentSinceMs: number, nowMs: number, rtoMs: number): number {
  let atMs = silentSinceMs
  for (let waitMs = rtoMs; atMs < nowMs; waitMs *= 2) atMs += waitMs
  return atMs
}
