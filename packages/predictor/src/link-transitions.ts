import { PredictorError } from './predictor-error.js'

/** Counted changes of state: rows from, columns to, in the order good, bad, outage. */
export type TransitionCounts = readonly [Triple, Triple, Triple]
export type Triple = readonly [number, number, number]

/** Faded expected counts, without the prior, in seconds spent (diagonal) and changes (off it). */
export type KnownTransitions = TransitionCounts

/**
 * METHODS, Risk: prior per second good->bad 1/50, bad->good 1/4. The deep outage is a guess: heavier than geometric
 * runs (78 s seen on LTE).
 */
const PER_SECOND: TransitionCounts = [
  [0, 1 / 50, 1 / 500],
  [1 / 4, 0, 1 / 20],
  [1 / 40, 1 / 20, 0],
]
/** The matrix follows the counts once in so many steps: they move little in one. */
const STEPS_PER_MATRIX = 4
/** METHODS: forgetting 0.995, taken per second: a memory of 200 s, some changes of a link that changes each 20 to 200 s. */
const KEPT_PER_SECOND = 0.995
/** Guess: the prior weighs as much as so many seconds in each state. */
const PRIOR_SECONDS: Triple = [60, 8, 20]
/** Guess: no rate is learned further from its prior than this factor, nor above one change in 2 s. */
const MOST_FACTOR = 10
const MOST_PER_SECOND = 0.5

/** Below, no clock tells; above, the highest rates that are learned would leave a chance below 0 to stay. */
const LEAST_TICK_MS = 1
const MOST_TICK_MS = 1_000

export function requireTick(tickMs: number): void {
  if (tickMs >= LEAST_TICK_MS && tickMs <= MOST_TICK_MS) return
  const range = `from ${LEAST_TICK_MS} to ${MOST_TICK_MS}`
  throw new PredictorError('invalidOption', `tickMs must be a number of milliseconds ${range}, got ${String(tickMs)}`)
}

/**
 * Rates of change between the link's states, learned online by expected counts: at every step
 * `N <- g N + P(from, to | seen so far)`, `rate = (prior rate x prior seconds + N) / (prior seconds + seconds there)`.
 * Source: METHODS, Risk (link state); online EM for hidden Markov models, Mongillo and Denève 2008, with the filter's
 * joint in place of the smoother's. Cold start: the prior.
 */
export class LinkTransitions {
  readonly #tickSeconds: number
  readonly #counts: number[][]
  readonly #kept: number
  #perTick: number[][]
  #learned = 0

  /** @throws PredictorError `invalidOption`: a longer tick could turn more than once. */
  constructor(tickMs: number, known?: KnownTransitions) {
    requireTick(tickMs)
    this.#tickSeconds = tickMs / 1000
    this.#counts = (
      known ?? [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
      ]
    ).map((row) => [...row])
    this.#kept = KEPT_PER_SECOND ** this.#tickSeconds
    this.#perTick = this.#matrix()
  }

  get known(): KnownTransitions {
    return this.#counts.map((row) => [...row]) as unknown as KnownTransitions
  }

  /** P(to at the next tick | from now). */
  perTick(from: number, to: number): number {
    return this.#perTick[from]?.[to] ?? 0
  }

  /** Rate of change, per second in the state `from`. */
  perSecond(from: number, to: number): number {
    const prior = PER_SECOND[from]?.[to] ?? 0
    const priorSeconds = PRIOR_SECONDS[from] ?? 0
    const changes = this.#counts[from]?.[to] ?? 0
    const seconds = this.#counts[from]?.[from] ?? 0
    const learned = (prior * priorSeconds + changes) / (priorSeconds + seconds)
    return Math.min(MOST_PER_SECOND, prior * MOST_FACTOR, Math.max(prior / MOST_FACTOR, learned))
  }

  /** One step that showed something: `joint(from, to)` = P(from before, to now | all that was seen). */
  learn(joint: (from: number, to: number) => number): void {
    const kept = this.#kept
    for (const [from, row] of this.#counts.entries()) {
      let spent = 0
      for (const to of row.keys()) {
        const share = joint(from, to)
        spent += share
        if (to !== from) row[to] = kept * (row[to] ?? 0) + share
      }
      row[from] = kept * (row[from] ?? 0) + spent * this.#tickSeconds
    }
    this.#learned += 1
    if (this.#learned % STEPS_PER_MATRIX === 0) this.#perTick = this.#matrix()
  }

  #matrix(): number[][] {
    return PER_SECOND.map((row, from) => {
      const leaving = row.map((_, to) => (to === from ? 0 : 1 - (1 - this.perSecond(from, to)) ** this.#tickSeconds))
      const stays = 1 - leaving.reduce((sum, p) => sum + p, 0)
      return leaving.map((p, to) => (to === from ? stays : p))
    })
  }
}
