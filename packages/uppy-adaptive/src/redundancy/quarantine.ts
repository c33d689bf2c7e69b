/** Guess: a server that restarts behind its proxy, or a path that flaps, is over it in a second or two. */
const FIRST_MS = 1_000
/** Guess: what is tried each minute costs a partition a minute at most. */
const LONGEST_MS = 60_000

/**
 * For how long a store is left alone that came into suspicion so many times in a row without acknowledging a byte between,
 * though it may answer small questions. The first time it has only been unlucky, and is back as soon as it answers.
 */
export function decideQuarantineMs(timesInARow: number): number {
  if (timesInARow <= 1) return 0
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(timesInARow - 2, 10))
}
