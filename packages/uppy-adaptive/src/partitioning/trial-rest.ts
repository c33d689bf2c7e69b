/** After a fruitless trial: doubled by each in a row (guess). */
const FIRST_REST_MS = 4_000
const LONGEST_REST_MS = 60_000

/** A while without trials, twice as long with each in a row. */
export class TrialRest {
  #untilMs = Number.NEGATIVE_INFINITY
  #nextMs = FIRST_REST_MS

  isOn(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  begin(nowMs: number): void {
    this.#untilMs = nowMs + this.#nextMs
    this.#nextMs = Math.min(LONGEST_REST_MS, 2 * this.#nextMs)
  }

  end(): void {
    this.#nextMs = FIRST_REST_MS
  }
}
