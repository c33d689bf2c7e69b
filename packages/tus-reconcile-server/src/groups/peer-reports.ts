import type { RangeSet } from 'tus-reconcile-protocol'
import { BlockRuns } from './block-runs.js'
import { TrackedMap } from './tracked-map.js'

/** At the home: which blocks each peer says it has verified, and with which leaf. */
export class PeerReports {
  readonly #stores = new Map<string, { readonly leaves: TrackedMap<number, string>; readonly runs: BlockRuns }>()

  add(store: string, index: number, leaf: string): void {
    const { leaves, runs } = this.#of(store)
    leaves.set(index, leaf)
    runs.add(index)
  }

  delete(store: string, index: number): void {
    this.#stores.get(store)?.leaves.delete(index)
    this.#stores.get(store)?.runs.delete(index)
  }

  /** Nothing of it is left to be recorded. */
  clear(): void {
    for (const { leaves } of this.#stores.values()) leaves.forget()
    this.#stores.clear()
  }

  by(store: string): ReadonlyMap<number, string> {
    return this.#stores.get(store)?.leaves ?? new Map()
  }

  stores(): readonly string[] {
    return [...this.#stores.keys()]
  }

  /** Of whichever peer has the block. */
  leafOf(index: number): string | undefined {
    for (const { leaves } of this.#stores.values()) {
      const leaf = leaves.get(index)
      if (leaf !== undefined) return leaf
    }
    return undefined
  }

  /** May overlap: several peers can have the same block. */
  ranges(sizeBytes: number): RangeSet {
    return [...this.#stores.values()].flatMap(({ runs }) => [...runs.ranges(sizeBytes)])
  }

  /** Each change is given once; null for what was deleted. */
  takeChanges(): [store: string, index: number, leaf: string | null][] {
    return [...this.#stores].flatMap(([store, { leaves }]) =>
      leaves.takeChanges().map(([index, leaf]): [string, number, string | null] => [store, index, leaf]),
    )
  }

  /** As the record has it already. */
  restore(store: string, index: number, leaf: string): void {
    const { leaves, runs } = this.#of(store)
    leaves.restore(index, leaf)
    runs.add(index)
  }

  #of(store: string): { readonly leaves: TrackedMap<number, string>; readonly runs: BlockRuns } {
    const known = this.#stores.get(store) ?? { leaves: new TrackedMap<number, string>(), runs: new BlockRuns() }
    this.#stores.set(store, known)
    return known
  }
}
