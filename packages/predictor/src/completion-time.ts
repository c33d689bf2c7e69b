import { requireQuantity } from './predictor-error.js'

/** MPC (Yin et al. 2015): the last five; measured as the best plain predictor (METHODS, Estimators). */
const WINDOW = 5
/** An answer is always finite: a day stands for "not in sight". */
const LONGEST_MS = 86_400_000

/** Guess: before any partition the mean of ln(rate) is uncertain by so much, which weighs as much as one partition. */
const PRIOR_SPREAD = 0.5

/**
 * Rate to expect of a store's next partition: harmonic mean of the last five partition goodputs, and its robust form
 * `HM / (1 + largest recent relative error)` for deadlines. Source: MPC, RobustMPC (METHODS, Estimators).
 * Cold start: undefined.
 */
export class PartitionGoodputs {
  readonly #recent: { bytesPerSecond: number; error: number }[] = []

  constructor(known: readonly number[] = []) {
    for (const bytesPerSecond of known) this.add(bytesPerSecond)
  }

  /** The last five, oldest first. */
  get recent(): number[] {
    return this.#recent.map(({ bytesPerSecond }) => bytesPerSecond)
  }

  add(bytesPerSecond: number): void {
    requireQuantity('bytesPerSecond', bytesPerSecond)
    if (bytesPerSecond === 0) return
    const predicted = this.harmonicMean()
    const error = predicted === undefined ? 0 : Math.abs(predicted - bytesPerSecond) / bytesPerSecond
    this.#recent.push({ bytesPerSecond, error })
    if (this.#recent.length > WINDOW) this.#recent.shift()
  }

  harmonicMean(): number | undefined {
    if (this.#recent.length === 0) return undefined
    return this.#recent.length / this.#recent.reduce((sum, { bytesPerSecond }) => sum + 1 / bytesPerSecond, 0)
  }

  /**
   * Standard deviation of the posterior of the mean of ln(rate): normal, of a variance that itself is shrunk towards the
   * prior's. 0.5 before any partition, less with each that resembles the others.
   */
  spread(): number {
    const logs = this.#recent.map(({ bytesPerSecond }) => Math.log(bytesPerSecond))
    const mean = logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length)
    const squares = logs.reduce((sum, log) => sum + (log - mean) ** 2, PRIOR_SPREAD ** 2)
    return Math.sqrt(squares / (1 + logs.length)) / Math.sqrt(1 + logs.length)
  }

  /** For who must keep a deadline. The model, which gives probabilities instead, makes no use of it. */
  robust(): number | undefined {
    const mean = this.harmonicMean()
    return mean === undefined ? undefined : mean / (1 + Math.max(...this.#recent.map(({ error }) => error)))
  }
}

/** Time for `bytes` at a rate: finite even at a rate of zero (then a day). */
export function estimateRemainingMs(bytes: number, bytesPerSecond: number): number {
  requireQuantity('bytes', bytes)
  requireQuantity('bytesPerSecond', bytesPerSecond)
  if (bytes === 0) return 0
  return Math.min(LONGEST_MS, (bytes / Math.max(bytesPerSecond, Number.MIN_VALUE)) * 1000)
}
