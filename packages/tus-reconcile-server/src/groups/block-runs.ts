import type { RangeSet } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'

/** Blocks `[first, end)`. */
interface Run {
  readonly first: number
  readonly end: number
}

/** A set of blocks that knows its runs: coverage costs what there are gaps, not what there are blocks. */
export class BlockRuns {
  /** In order, apart from one another. */
  readonly #runs: Run[] = []

  add(index: number): void {
    const at = this.#from(index)
    const [before, after] = [this.#runs[at - 1], this.#runs[at]]
    if (after && after.first <= index) return
    const joinsBefore = before?.end === index
    const joinsAfter = after?.first === index + 1
    const run = { first: joinsBefore ? before.first : index, end: joinsAfter ? after.end : index + 1 }
    this.#runs.splice(joinsBefore ? at - 1 : at, Number(joinsBefore) + Number(joinsAfter), run)
  }

  delete(index: number): void {
    const at = this.#from(index)
    const run = this.#runs[at]
    if (!run || run.first > index) return
    const rest = [
      { first: run.first, end: index },
      { first: index + 1, end: run.end },
    ]
    this.#runs.splice(at, 1, ...rest.filter(({ first, end }) => first < end))
  }

  clear(): void {
    this.#runs.length = 0
  }

  /** In bytes of a file of this size; `Infinity` where it is unknown. */
  ranges(sizeBytes: number): RangeSet {
    return this.#runs
      .map(({ first, end }) => ({ start: first * BLOCK_SIZE, end: Math.min(end * BLOCK_SIZE, sizeBytes) }))
      .filter(({ start, end }) => start < end)
  }

  /** The position of the first run that ends behind `index`. */
  #from(index: number): number {
    let [low, high] = [0, this.#runs.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#runs[middle]?.end ?? 0) > index) high = middle
      else low = middle + 1
    }
    return low
  }
}
