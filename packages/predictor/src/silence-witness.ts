/** Guess: a link outage does not end all sessions' acks at one instant; so much witnessed silence counts for nothing. */
export const SKEW_TOLERANCE_MS = 300
/** Guess: after the link was dark, its round trips, first tries and new connections take this much longer, at most. */
const RECOVERY_GRACE_MS = 1_500
/** Guess: a TCP that doubles its timeout waits no longer than this for its next try. */
const LONGEST_BACK_OFF_MS = 60_000
/** Guess: with nobody else in flight, one answer vouches for no more than this before it: about as often questions come. */
const UNOBSERVED_MS = 400
/** Guess: a stretch in which others should have spoken and did not is dark from here on, or from thrice their rhythm. */
const DARK_MS = 400
const DARK_GAPS = 3

export interface SignOfLifeElsewhere {
  nowMs: number
  /** Since when everybody was silent: for a session that began in the dark, earlier than its own start. */
  allSilentSinceMs: number
  /** Rhythm of the liveliest other session that was moving when the stretch began; undefined when there was none. */
  observersRhythmMs: number | undefined
  /** A probe to elsewhere was lost since the last sign of life, or is answered only now. */
  probeLost: boolean
}

/**
 * How much of one session's silence the link is known to have been alive: time between signs of life from elsewhere
 * that followed each other as they should. Only this time speaks against the server. A stretch in which everyone was
 * silent is the link's. After it the connection is excused for as long as it had been dark: TCP doubles its timeout with
 * every try (RFC 6298 section 5.5), so that its next try comes within the time that it has waited. A question to the
 * store itself, asked since and not answered while others are, ends that.
 * Source: METHODS, finding 1 ("if every session turns suspicious at once, it is the link").
 */
export class SilenceWitness {
  #sinceMs: number
  /** Begin of the first dark stretch that still explains this silence, and end of the last. */
  #darkSinceMs = Number.NEGATIVE_INFINITY
  #lightSinceMs = Number.NEGATIVE_INFINITY
  #excusedUntilMs = Number.NEGATIVE_INFINITY
  #witnessedMs = 0
  #excusedMs = 0

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

  /** As much of it, beyond the tolerance, as TCP's back-off after an outage explains: not in `witnessedMs`. */
  get excusedMs(): number {
    return Math.max(0, this.#excusedMs - SKEW_TOLERANCE_MS)
  }

  isExcused(nowMs: number): boolean {
    return nowMs < this.#excusedUntilMs
  }

  /** The session itself made progress, or all clocks were reset. */
  restart(nowMs: number): void {
    this.#sinceMs = nowMs
    this.#darkSinceMs = Number.NEGATIVE_INFINITY
    this.#lightSinceMs = Number.NEGATIVE_INFINITY
    this.#excusedUntilMs = Number.NEGATIVE_INFINITY
    this.#witnessedMs = 0
    this.#excusedMs = 0
  }

  lifeElsewhere({ nowMs, allSilentSinceMs, observersRhythmMs, probeLost }: SignOfLifeElsewhere): void {
    const stretchSinceMs = Math.min(this.#sinceMs, allSilentSinceMs)
    const darkMs = Math.max(DARK_MS, DARK_GAPS * (observersRhythmMs ?? 0))
    const overdue = observersRhythmMs !== undefined && nowMs - stretchSinceMs > darkMs
    if (overdue || probeLost) this.#linkCameBack(nowMs, stretchSinceMs)
    else this.#count(nowMs, observersRhythmMs === undefined ? UNOBSERVED_MS : Number.POSITIVE_INFINITY)
    this.#sinceMs = nowMs
  }

  /** The session's own store was asked then and did not answer, while others did. */
  unansweredSince(askedMs: number): void {
    if (askedMs <= this.#lightSinceMs) return
    this.#excusedUntilMs = Number.NEGATIVE_INFINITY
    this.#witnessedMs += this.#excusedMs
    this.#excusedMs = 0
  }

  /** Nobody answered a question on a new connection from then to now: what others moved meanwhile says nothing of a start. */
  unheardSince(askedMs: number, nowMs: number): void {
    this.#witnessedMs = Math.max(0, this.#witnessedMs - Math.max(0, nowMs - askedMs))
  }

  #linkCameBack(nowMs: number, darkSinceMs: number): void {
    // who had its time to try again since the last outage, and did not, waits for this one alone
    if (darkSinceMs >= this.#excusedUntilMs) this.#darkSinceMs = darkSinceMs
    this.#lightSinceMs = nowMs
    const waitedMs = Math.min(LONGEST_BACK_OFF_MS, nowMs - this.#darkSinceMs)
    const graceMs = Math.min(RECOVERY_GRACE_MS, nowMs - darkSinceMs)
    this.#excusedUntilMs = Math.max(this.#excusedUntilMs, nowMs + waitedMs + graceMs)
  }

  /** Of the stretch that ends now, at most so much. */
  #count(nowMs: number, mostMs: number): void {
    const borderMs = Math.min(nowMs, Math.max(this.#sinceMs, this.#excusedUntilMs))
    this.#witnessedMs += Math.min(nowMs - borderMs, mostMs)
    this.#excusedMs += Math.min(borderMs - this.#sinceMs, mostMs)
  }
}
