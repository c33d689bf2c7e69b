import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { intersectRanges, subtractRanges, toRangeSet } from 'tus-reconcile-protocol'
import type { StoreId } from './partition-plan.js'

interface Tail {
  readonly range: ByteRange
  readonly victim: StoreId
  readonly untilMs: number
}

/**
 * Tails that were split off so that another store sends them. The victim's store, which is often free first, does not get
 * them back until it would have sent them by itself: later, waiting for another store helps nobody. Times in milliseconds.
 */
export class SplitTails {
  #tails: readonly Tail[] = []

  /** `expectedMs`: until the victim would have sent the tail. */
  add(range: ByteRange, o: { victim: StoreId; nowMs: number; expectedMs: number }): void {
    this.#tails = [...this.#tails, { range, victim: o.victim, untilMs: o.nowMs + o.expectedMs }]
  }

  /** Forgets the tails that somebody has taken, and those that have waited long enough. */
  prune(unassigned: RangeSet, nowMs: number): void {
    this.#tails = this.#tails.filter(
      ({ range, untilMs }) => untilMs > nowMs && intersectRanges(unassigned, [range]).length > 0,
    )
  }

  /** What of these ranges was not split off this very store. */
  without(ranges: RangeSet, store: StoreId): RangeSet {
    const own = this.#tails.filter(({ victim }) => victim === store).map(({ range }) => range)
    return subtractRanges(ranges, toRangeSet(own))
  }
}
