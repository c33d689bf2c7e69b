/** Guess: the finest step of the model's rate samples; a shorter delay sets no pace. */
const LEAST_MS = 50
/** Guess: from this share of the time since the last acknowledgement on, the pace was ours. */
const LEAST_SHARE = 1 / 4

/** How long a session's next bytes wait on our own side: for the source, or for the application's headers and hooks. */
export class OwnDelay {
  #sinceMs: number | undefined
  #totalMs = 0

  /** The session has bytes to send, and no request of it is out. */
  get isRunning(): boolean {
    return this.#sinceMs !== undefined
  }

  begin(nowMs: number): void {
    this.#sinceMs ??= nowMs
  }

  end(nowMs: number): void {
    if (this.#sinceMs !== undefined) this.#totalMs += nowMs - this.#sinceMs
    this.#sinceMs = undefined
  }

  /** Bytes were acknowledged, `gapMs` after the last ones: whether our side rather than the path set that pace. */
  take(nowMs: number, gapMs: number): boolean {
    const totalMs = this.#totalMs + nowMs - (this.#sinceMs ?? nowMs)
    this.#totalMs = 0
    if (this.#sinceMs !== undefined) this.#sinceMs = nowMs
    return totalMs >= LEAST_MS && totalMs >= LEAST_SHARE * gapMs
  }
}
