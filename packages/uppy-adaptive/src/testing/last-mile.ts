import type { Clock } from '../orchestration/ports.js'
import { pause } from '../orchestration/timing.js'

/** How finely the link's rate is followed. */
const STEP_MS = 50
/** What a small request and its connection take of the link (guess: some packets without much in them). */
const SMALL_BYTES = 600

/** A body on its way up, as its last mile sees it. */
export interface UplinkBody {
  /** Still to be sent. */
  remainingBytes: number
  /** Nothing but the last mile holds it up: its sender keeps the queue full. */
  isHeldUp: boolean
}

/** What all paths of one user share: the way to the network. */
export class LastMile {
  upBytesPerSecond: number
  /** Nothing comes through, and nobody is told. */
  isOut = false
  /** What its queue holds, first in, first out, once bodies have filled it (default 0: the small wait for nobody, as where queues are fair). */
  queueBytes = 0
  readonly #bodies = new Set<UplinkBody>()

  constructor(upBytesPerSecond: number = Number.POSITIVE_INFINITY) {
    this.upBytesPerSecond = upBytesPerSecond
  }

  /** Of one body. */
  get shareBytesPerSecond(): number {
    return this.upBytesPerSecond / Math.max(1, this.#bodies.size)
  }

  /** @returns how the body ends */
  begin(body: UplinkBody): () => void {
    this.#bodies.add(body)
    return () => this.#bodies.delete(body)
  }

  /** What something small has before it: of all bodies together what fits the queue. */
  get queuedBytes(): number {
    let bytes = 0
    for (const { remainingBytes, isHeldUp } of this.#bodies) if (isHeldUp) bytes += remainingBytes
    return Math.min(this.queueBytes, bytes)
  }

  /** Lets what is small through once the link has carried it and what was before it, however slow that becomes. */
  async queue(clock: Clock, signal: AbortSignal): Promise<void> {
    let aheadBytes = Number.isFinite(this.upBytesPerSecond) ? this.queuedBytes + SMALL_BYTES : 0
    while (aheadBytes > 0 && !signal.aborted) {
      const rate = this.isOut ? 0 : this.upBytesPerSecond
      const stepMs = Math.min(STEP_MS, Math.ceil((aheadBytes * 1000) / rate))
      await pause(clock, stepMs, signal)
      aheadBytes -= (rate * stepMs) / 1000
    }
  }
}
