import type { RangeSet } from 'tus-reconcile-protocol'
import type { BlockRecord } from '../records/partition-index.js'
import { BlockRuns } from './block-runs.js'
import { TrackedMap } from './tracked-map.js'

export type BlockState =
  | { readonly kind: 'partial'; readonly owner: string }
  | { readonly kind: 'held'; readonly leaf: string }
  | { readonly kind: 'verified'; readonly leaf: string; readonly isAttached?: true }

/** What each block is, and what follows from all of them, kept up with every change: asking costs what it answers. */
export class BlockStates {
  readonly #states = new TrackedMap<number, BlockState>()
  readonly #verified = new BlockRuns()
  /** Where one verified block of a leaf is. */
  readonly #places = new Map<string, number>()
  /** The partial blocks of each owner. */
  readonly #begun = new Map<string, Set<number>>()

  get(index: number): BlockState | undefined {
    return this.#states.get(index)
  }

  set(index: number, state: BlockState): void {
    this.#leave(index)
    this.#states.set(index, state)
    this.#enter(index, state)
  }

  delete(index: number): void {
    this.#leave(index)
    this.#states.delete(index)
  }

  /** The blocks that `owner` has begun and not finished. */
  begunBy(owner: string): number[] {
    return [...(this.#begun.get(owner) ?? [])]
  }

  /** Blocks that somebody has begun, and who. */
  owners(): [index: number, owner: string][] {
    return [...this.#begun].flatMap(([owner, begun]) => Array.from(begun, (index): [number, string] => [index, owner]))
  }

  placeOf(leaf: string): number | undefined {
    return this.#places.get(leaf)
  }

  verifiedRanges(sizeBytes: number): RangeSet {
    return this.#verified.ranges(sizeBytes)
  }

  verifiedLeaves(): Map<number, string> {
    const leaves = new Map<number, string>()
    for (const [index, state] of this.#states) if (state.kind === 'verified') leaves.set(index, state.leaf)
    return leaves
  }

  /** Blocks of which every byte is here. */
  whole(): number[] {
    return [...this.#states].filter(([, { kind }]) => kind !== 'partial').map(([index]) => index)
  }

  /** Each change is given once; null for what was deleted. */
  takeChanges(): [index: number, block: BlockRecord | null][] {
    return this.#states.takeChanges().map(([index, state]) => [index, state && toRecord(state)])
  }

  /** As the record has it already. */
  restore(index: number, record: BlockRecord): void {
    const state = fromRecord(record)
    this.#leave(index)
    this.#states.restore(index, state)
    this.#enter(index, state)
  }

  /** Empty, with nothing left to be recorded. */
  forget(): void {
    this.#states.forget()
    this.#verified.clear()
    this.#places.clear()
    this.#begun.clear()
  }

  #enter(index: number, state: BlockState): void {
    if (state.kind === 'partial') {
      const begun = this.#begun.get(state.owner) ?? new Set()
      this.#begun.set(state.owner, begun.add(index))
    } else if (state.kind === 'verified') {
      this.#verified.add(index)
      this.#places.set(state.leaf, index)
    }
  }

  #leave(index: number): void {
    const state = this.#states.get(index)
    if (state?.kind === 'partial') {
      const begun = this.#begun.get(state.owner)
      begun?.delete(index)
      if (begun?.size === 0) this.#begun.delete(state.owner)
    } else if (state?.kind === 'verified') {
      this.#verified.delete(index)
      if (this.#places.get(state.leaf) === index) this.#places.delete(state.leaf)
    }
  }
}

function toRecord(state: BlockState): BlockRecord {
  if (state.kind === 'partial') return ['p', state.owner]
  if (state.kind === 'held') return ['h', state.leaf]
  return state.isAttached ? ['v', state.leaf, 'attached'] : ['v', state.leaf]
}

function fromRecord([kind, text, how]: BlockRecord): BlockState {
  if (kind === 'p') return { kind: 'partial', owner: text }
  if (kind === 'h') return { kind: 'held', leaf: text }
  return { kind: 'verified', leaf: text, ...(how ? { isAttached: true } : {}) }
}
