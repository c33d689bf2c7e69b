import type { Clock } from '../orchestration/ports.js'

/** News travel together. */
const BATCH_MS = 50
const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 3_000

/** Brings one kind of news of one group from one server to another until there is none left. */
export class MemoryCourier {
  readonly #clock: Clock
  /** Undefined when there is nothing to bring; else whether it has arrived. */
  readonly #bring: () => Promise<boolean> | undefined
  #isRunning = false
  #retryMs = FIRST_RETRY_MS
  #isStopped = false

  constructor(clock: Clock, bring: () => Promise<boolean> | undefined) {
    this.#clock = clock
    this.#bring = bring
  }

  /** There may be news. */
  wake(): void {
    if (this.#isRunning || this.#isStopped) return
    this.#isRunning = true
    this.#clock.after(BATCH_MS, () => void this.#run())
  }

  /** Its process has ended. */
  stop(): void {
    this.#isStopped = true
  }

  async #run(): Promise<void> {
    const bringing = this.#isStopped ? undefined : this.#bring()
    if (!bringing) {
      this.#isRunning = false
      return
    }
    const isDone = await bringing
    this.#clock.after(isDone ? BATCH_MS : this.#retryMs, () => void this.#run())
    this.#retryMs = isDone ? FIRST_RETRY_MS : Math.min(2 * this.#retryMs, LONGEST_RETRY_MS)
  }
}
