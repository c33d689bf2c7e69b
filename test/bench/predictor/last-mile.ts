import type { LinkTrace } from './link-trace.js'
import { PLANNED_MS, type SimulatedSession } from './simulated-session.js'

export const STEP_MS = 50
/** Guess: what the buffer before the link holds, in time at its mean rate. A saturated link fills it. */
const BUFFER_MS = 200
/** A queue that would take longer has lost what it held. */
const LONGEST_QUEUE_MS = 2_000
/** What a client plans with is never under this share of the link's mean: an outage is no plan. */
const LEAST_PLANNED_SHARE = 1 / 4

/** The link that all sessions share, max-min fairly, in steps; and the queue before it. Bytes and milliseconds. */
export class LastMile {
  deliveredBytes = 0
  /** Bytes up to each step: what the link could carry, and what one healthy session would have been given of it. */
  readonly #carried: number[] = [0]
  readonly #healthyShare: number[] = [0]
  readonly #trace: LinkTrace
  readonly #offsetMs: number
  #bytesPerMs = 0
  #queuedBytes = 0
  /** Capacity over about the last second. */
  #recent: number
  /** Goodput of all together over about the last five seconds: what a client plans by. */
  #goodput: number

  constructor(trace: LinkTrace, offsetMs: number) {
    this.#trace = trace
    this.#offsetMs = offsetMs
    this.#recent = trace.meanBytesPerMs
    this.#goodput = trace.meanBytesPerMs
  }

  get isUp(): boolean {
    return this.#bytesPerMs > 0
  }

  get recentBytesPerMs(): number {
    return this.#recent
  }

  get plannedBytesPerMs(): number {
    return Math.max(this.#goodput, LEAST_PLANNED_SHARE * this.#trace.meanBytesPerMs)
  }

  /** What a request waits for behind the bytes of uploads, at the rate of now or the last second. */
  get queueMs(): number {
    return this.isUp ? Math.min(LONGEST_QUEUE_MS, this.#queuedBytes / Math.max(this.#recent, this.#bytesPerMs)) : 0
  }

  begin(nowMs: number): void {
    this.#bytesPerMs = this.#trace.bytesPerMsAt(this.#offsetMs + nowMs)
    this.#recent += (this.#bytesPerMs - this.#recent) * (STEP_MS / 1_000)
  }

  share(sessions: readonly SimulatedSession[], nowMs: number, limitOf: (session: SimulatedSession) => number): void {
    const limits = sessions.map((session) => ({
      session,
      limit: Math.min(limitOf(session), session.bytes - session.deliveredBytes),
    }))
    limits.sort((a, b) => a.limit - b.limit)
    const capacityBytes = this.#bytesPerMs * STEP_MS
    let leftBytes = capacityBytes
    for (const [at, { session, limit }] of limits.entries()) {
      const bytes = Math.min(limit, leftBytes / (limits.length - at))
      session.deliver(bytes, nowMs + STEP_MS)
      leftBytes -= bytes
    }
    const offeredBytes = limits.reduce((sum, { limit }) => sum + limit, 0)
    const queuedBytes = this.#queuedBytes + offeredBytes - capacityBytes
    this.#queuedBytes = Math.min(BUFFER_MS * this.#trace.meanBytesPerMs, Math.max(0, queuedBytes))
    this.deliveredBytes += capacityBytes - leftBytes
    this.#goodput += ((capacityBytes - leftBytes) / STEP_MS - this.#goodput) * (STEP_MS / PLANNED_MS)
    this.#carried.push((this.#carried.at(-1) ?? 0) + capacityBytes)
    this.#healthyShare.push((this.#healthyShare.at(-1) ?? 0) + capacityBytes / Math.max(1, sessions.length))
  }

  /** Mean capacity of the steps in which there was any, bytes per ms; 0 where there was none. */
  rateWhileUp(fromMs: number, untilMs: number): number {
    const steps = this.#carried.slice(Math.floor(fromMs / STEP_MS), Math.ceil(untilMs / STEP_MS) + 1)
    const bytes = steps.map((carried, at) => carried - (steps[at - 1] ?? carried)).filter((step) => step > 0)
    return bytes.reduce((sum, step) => sum + step, 0) / Math.max(1, bytes.length) / STEP_MS
  }

  /** Bytes that one healthy session in flight all the time would have been given by then. */
  healthyBytesAt(nowMs: number): number {
    return interpolated(this.#healthyShare, nowMs / STEP_MS)
  }

  /** The first step by which so many were given; the end of the run where they never were. */
  healthyMsAt(bytes: number): number {
    let [low, high] = [0, this.#healthyShare.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#healthyShare[middle] ?? 0) >= bytes) high = middle
      else low = middle + 1
    }
    return low * STEP_MS
  }
}

function interpolated(values: readonly number[], index: number): number {
  const at = Math.min(values.length - 1, index)
  const [before, after] = [values[Math.floor(at)] ?? 0, values[Math.ceil(at)] ?? 0]
  return before + (after - before) * (at % 1)
}
