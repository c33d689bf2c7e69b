/**
 * Bounds what copies may cost: bytes, not requests (METHODS, finding 4). Copies may send `share` of the acknowledged bytes
 * plus one partition; and gRPC's retry throttle (A6) stops them while they keep losing: 10 tokens, a failed copy costs
 * one, a success gives 0.1 back, none may start below half.
 */
export class HedgeBudget {
  readonly #share: number
  readonly #allowanceBytes: number
  #acknowledgedBytes = 0
  #spentBytes = 0
  #tokens = MAX_TOKENS

  constructor(options: { share: number; allowanceBytes: number }) {
    this.#share = options.share
    this.#allowanceBytes = options.allowanceBytes
  }

  /** Unique bytes of the whole upload acknowledged so far. */
  acknowledged(totalBytes: number): void {
    this.#acknowledgedBytes = Math.max(this.#acknowledgedBytes, totalBytes)
  }

  get availableBytes(): number {
    if (this.#tokens < MAX_TOKENS / 2) return 0
    return Math.max(0, this.#acknowledgedBytes * this.#share + this.#allowanceBytes - this.#spentBytes)
  }

  spend(bytes: number): void {
    this.#spentBytes += bytes
  }

  /** A session that is no copy has completed: the throttle recovers by every success. */
  succeeded(): void {
    this.#tokens = Math.min(MAX_TOKENS, this.#tokens + TOKEN_REFUND)
  }

  /** A copy has ended: bytes that it was given and never sent come back. */
  settle(o: { won: boolean; unsentBytes: number }): void {
    this.#spentBytes = Math.max(0, this.#spentBytes - o.unsentBytes)
    this.#tokens = Math.min(MAX_TOKENS, Math.max(0, this.#tokens + (o.won ? TOKEN_REFUND : -1)))
  }
}

const MAX_TOKENS = 10
const TOKEN_REFUND = 0.1
