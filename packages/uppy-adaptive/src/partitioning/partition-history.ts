/** Guess: a partition counts so much against those before it. */
const WEIGHT = 0.3
/** Guess: what one partition took says no more than this of the next. */
const MOST_STRETCH = 4

/** What the partitions of one store taught of the next one's size, as moving averages. Before any: all is lost by a failure, and a plan holds. */
export class PartitionHistory {
  #lostShare = 1
  #logStretch = 0

  /** Share of a broken partition's time that brought nothing: from its last acknowledgement on, 0 to 1. */
  get lostShare(): number {
    return this.#lostShare
  }

  /** How many times as long as planned partitions take: the geometric mean, as half and twice as long are alike. */
  get stretch(): number {
    return Math.exp(this.#logStretch)
  }

  completed(o: { readonly tookMs: number; readonly plannedMs: number }): void {
    if (!(o.tookMs > 0) || !(o.plannedMs > 0)) return
    const ratio = Math.min(Math.max(o.tookMs / o.plannedMs, 1 / MOST_STRETCH), MOST_STRETCH)
    this.#logStretch += WEIGHT * (Math.log(ratio) - this.#logStretch)
  }

  broken(o: { readonly tookMs: number; readonly lostMs: number }): void {
    if (!(o.tookMs > 0)) return
    this.#lostShare += WEIGHT * (Math.min(1, o.lostMs / o.tookMs) - this.#lostShare)
  }
}
