import type { Clock } from '../ports.js'

/** Waits for a time or for something to happen, whichever comes first. What happens before the wait is not lost. */
export class Alarm {
  readonly #clock: Clock
  #rung = false
  #wakeUp: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(): void {
    this.#rung = true
    this.#wakeUp?.()
  }

  /** Even when it has rung already, other work gets its turn first. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        cancel()
        this.#wakeUp = undefined
        this.#rung = false
        resolve()
      }
      const cancel = this.#clock.after(this.#rung ? 0 : Math.max(0, delayMs), finish)
      if (!this.#rung) this.#wakeUp = finish
    })
  }
}
