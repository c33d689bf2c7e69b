import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { toRangeSet } from 'tus-reconcile-protocol'
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

  /** Forgets the tails of which nothing is unassigned any more, and those that have waited long enough. */
  prune(isUnassigned: (range: ByteRange) => boolean, nowMs: number): void {
    this.#tails = this.#tails.filter(({ range, untilMs }) => untilMs > nowMs && isUnassigned(range))
  }

  /** What was split off this very store. */
  of(store: StoreId): RangeSet {
    return toRangeSet(this.#tails.filter(({ victim }) => victim === store).map(({ range }) => range))
  }
}
