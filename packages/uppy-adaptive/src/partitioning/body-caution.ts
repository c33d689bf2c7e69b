/** A first body after one of which nothing was kept: little is lost should that happen again (guess; nginx's default limit). */
const FIRST_BYTES = 1024 * 1024
const LEAST_BYTES = 64 * 1024
const STEP = 4
/** What arrives whole within this time may be twice as large: longer silences are taken for trouble (guess). */
const SOON_MS = 1_000

/**
 * How large bodies may be where one was ended early, and nothing of it was kept though its server answers: by a proxy that
 * passes bodies on only when they are whole, or because the connection was dead. Small at once, and larger with all that
 * arrives; as large as ever as soon as a part of one is acknowledged before its end, which such a proxy never lets happen.
 */
export class BodyCaution {
  #mostBytes = Number.POSITIVE_INFINITY

  get mostBytes(): number {
    return this.#mostBytes
  }

  /** Nothing was kept of a body though much of it was handed over. */
  lost(): void {
    this.#mostBytes = Math.min(FIRST_BYTES, Math.max(LEAST_BYTES, this.#mostBytes / STEP))
  }

  /** A body of this size arrived whole, in this time. */
  arrived(bytes: number, durationMs: number): void {
    if (durationMs <= SOON_MS) this.#mostBytes = Math.max(this.#mostBytes, 2 * bytes)
  }

  /** A part of a body was acknowledged before its end. */
  passedOn(): void {
    this.#mostBytes = Number.POSITIVE_INFINITY
  }
}
