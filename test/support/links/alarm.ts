/** The longest delay setTimeout takes. */
const longestTimeoutMs = 2 ** 31 - 1

/**
 * One timer, set to an instant of `performance.now()`. It may go off up to a millisecond early (timers count whole ms):
 * whoever is woken looks at the clock and sets it again.
 */
export class Alarm {
  readonly #onDue: () => void
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY

  constructor(onDue: () => void) {
    this.#onDue = onDue
  }

  /** How long ago the alarm should have gone off, ms; 0 when it is not set or not due. */
  lateMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#dueMs)
  }

  /** Sets the alarm; `Infinity` clears it. */
  set(dueMs: number): void {
    if (dueMs === this.#dueMs && this.#timer !== undefined) return
    this.clear()
    if (dueMs === Number.POSITIVE_INFINITY) return
    this.#dueMs = dueMs
    const delayMs = Math.min(Math.max(1, Math.ceil(dueMs - performance.now())), longestTimeoutMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#onDue()
    }, delayMs)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }
}
