/** From here on another store is faster beyond doubt, whatever the last rates were (guess). */
const FASTER = 2

/** A piece for a store that is free, and the rates at which others could send what is left. */
export interface LastPiece {
  readonly bytes: number
  readonly rateBytesPerSecond: number
  /** Until its first byte moves, milliseconds. */
  readonly setupMs: number
  /** All that is missing, this piece included. */
  readonly restBytes: number
  readonly otherRates: readonly number[]
}

/**
 * Stores that are much faster will have sent all that is left before this one has sent its piece: it would end last, and
 * is better left idle. The fastest of all never is.
 */
export function isOutrun({ bytes, rateBytesPerSecond, setupMs, restBytes, otherRates }: LastPiece): boolean {
  const faster = otherRates.filter((rate) => rate >= FASTER * rateBytesPerSecond)
  const together = faster.reduce((sum, rate) => sum + rate, 0)
  if (together <= 0) return false
  return setupMs + (1000 * bytes) / Math.max(rateBytesPerSecond, Number.MIN_VALUE) > (1000 * restBytes) / together
}
