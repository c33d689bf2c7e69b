/** Guess: a link outage does not end all sessions' acks at one instant; so much witnessed silence counts for nothing. */
export const SKEW_TOLERANCE_MS = 300
/** Guess: after the link was dark, sessions resume within about this of each other (TCP's back-off, new connections). */
const RECOVERY_GRACE_MS = 1_500
/** Guess: with nobody else in flight, one sign of life vouches for no more than this of the silence before it. */
const UNOBSERVED_MS = 1_000
/** Guess: a stretch in which others should have spoken and did not is dark from here on, or from thrice their rhythm. */
const DARK_MS = 400
const DARK_GAPS = 3

export interface SignOfLifeElsewhere {
  nowMs: number
  /** Since when everybody was silent: for a session that began in the dark, earlier than its own start. */
  allSilentSinceMs: number
  /** Rhythm of the liveliest other session that was moving when the stretch began; undefined when there was none. */
  observersRhythmMs: number | undefined
  /** A probe to elsewhere was lost since the last sign of life. */
  probeLost: boolean
}

/**
 * How much of one session's silence the link is known to have been alive: time between signs of life from elsewhere
 * that followed each other as they should. Only this time speaks against the server. A stretch in which everyone was
 * silent is the link's, and so is a grace period after it of at most 1.5 s and twice the stretch.
 * Source: METHODS, finding 1 ("if every session turns suspicious at once, it is the link").
 */
export class SilenceWitness {
  #sinceMs: number
  #graceUntilMs = Number.NEGATIVE_INFINITY
  #witnessedMs = 0

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  /** Start of the stretch that no sign of life has closed yet. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** Witnessed silence beyond the skew tolerance. */
  get witnessedMs(): number {
    return Math.max(0, this.#witnessedMs - SKEW_TOLERANCE_MS)
  }

  /** The session itself made progress, or all clocks were reset. */
  restart(nowMs: number): void {
    this.#sinceMs = nowMs
    this.#graceUntilMs = Number.NEGATIVE_INFINITY
    this.#witnessedMs = 0
  }

  lifeElsewhere({ nowMs, allSilentSinceMs, observersRhythmMs, probeLost }: SignOfLifeElsewhere): void {
    const stretchMs = nowMs - Math.min(this.#sinceMs, allSilentSinceMs)
    const darkMs = Math.max(DARK_MS, DARK_GAPS * (observersRhythmMs ?? 0))
    const overdue = observersRhythmMs !== undefined && stretchMs > darkMs
    if (overdue || probeLost) {
      this.#graceUntilMs = Math.max(this.#graceUntilMs, nowMs + Math.min(RECOVERY_GRACE_MS, 2 * stretchMs))
    } else {
      const countedMs = nowMs - Math.max(this.#sinceMs, this.#graceUntilMs)
      const limitMs = observersRhythmMs === undefined ? UNOBSERVED_MS : countedMs
      this.#witnessedMs += Math.max(0, Math.min(countedMs, limitMs))
    }
    this.#sinceMs = nowMs
  }
}
