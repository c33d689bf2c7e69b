import type { Clock } from '../ports.js'

/** A look-up that is not answered in this time counts as cut; at least, and in retransmission time-outs. */
const MIN_LOOK_MS = 2_000
const LOOK_RTOS = 4

/** Ends a look-up that is not answered in its time. It runs while the request is out: what the application takes does not count. */
export class LookTimer {
  readonly #clock: Pick<Clock, 'after'>
  readonly #lateAfterMs: number
  readonly #onLate: () => void
  #isLate = false
  #cancel = () => {}

  constructor(o: { clock: Pick<Clock, 'after'>; rtoMs: number; onLate: () => void }) {
    this.#clock = o.clock
    this.#lateAfterMs = Math.max(MIN_LOOK_MS, LOOK_RTOS * o.rtoMs)
    this.#onLate = o.onLate
  }

  get isLate(): boolean {
    return this.#isLate
  }

  /** From its begin. */
  start(): void {
    this.#cancel()
    this.#cancel = this.#clock.after(this.#lateAfterMs, () => {
      this.#isLate = true
      this.#onLate()
    })
  }

  stop(): void {
    this.#cancel()
  }
}
