import type { ByteRange } from 'tus-reconcile-protocol'
import type { QuietPatch } from '../../redundancy/quiet-patch.js'

/** Of a gap between two reports in their moving average (guess: the last few count). */
const GAP_SHARE = 0.25

/** What has become of one PATCH's bytes on our side, and when. */
export class PlainPatch {
  readonly session: string
  readonly range: ByteRange
  readonly beganMs: number
  /** Up to here its bytes were given to the network. */
  handed: number
  /** So much of it the model was told of. */
  told: number
  toldMs: number
  lastMovedMs: number
  reports = 0
  #usualGapMs = 0

  constructor(o: { session: string; range: ByteRange; nowMs: number }) {
    this.session = o.session
    this.range = o.range
    this.beganMs = this.toldMs = this.lastMovedMs = o.nowMs
    this.handed = this.told = o.range.start
  }

  noteTold(offset: number, nowMs: number): void {
    this.#usualGapMs += GAP_SHARE * (nowMs - this.toldMs - this.#usualGapMs)
    this.told = offset
    this.toldMs = nowMs
    this.reports += 1
  }

  /** Our own clock stood still until now. */
  restart(nowMs: number): void {
    this.lastMovedMs = this.toldMs = nowMs
  }

  get remainingBytes(): number {
    return Math.max(1, this.range.end - this.told)
  }

  stateAt(nowMs: number): Omit<QuietPatch, 'goodputBytesPerSecond' | 'freshTries'> & { quietMs: number } {
    return {
      sizeBytes: this.range.end - this.range.start,
      handedBytes: this.handed - this.range.start,
      movingMs: this.lastMovedMs - this.beganMs,
      reports: this.reports,
      usualGapMs: this.#usualGapMs,
      quietMs: nowMs - this.lastMovedMs,
    }
  }
}
