/** Fewer bytes than these in a timeout's time is no progress: who drips bytes must not hold a connection for ever (guess). */
const LEAST_BYTES = 1024

/** Whether a body comes fast enough: some bytes within each stretch of time. */
export class BodyProgress {
  readonly #timeoutMs: number
  #sinceMs: number = performance.now()
  #bytes = 0
  #pausedMs: number | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** How long the next bytes may be waited for; 0 when they are late. */
  get leftMs(): number {
    return Math.max(0, this.#sinceMs + this.#timeoutMs - performance.now())
  }

  /** From now on nobody waits for the sender. */
  pause(): void {
    this.#pausedMs ??= performance.now()
  }

  /** Somebody waits again. */
  resume(): void {
    if (this.#pausedMs !== undefined) this.#sinceMs += performance.now() - this.#pausedMs
    this.#pausedMs = undefined
  }

  /** Bytes have come, and been dealt with: the time that took is not the sender's. */
  note(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < LEAST_BYTES) return
    this.#bytes = 0
    this.#sinceMs = performance.now()
  }
}
