import type { ClientBudget } from './budgets.js'
import { TrackedMap } from './tracked-map.js'

/** Different leaves remembered for one block: a corrupt copy's claim must not push out the right one. */
const MAX_CLAIMS = 4

/** The leaves that were claimed of blocks that are not verified, and what they count for, in digests. */
export class ClaimsAhead {
  readonly #leaves = new TrackedMap<number, readonly string[]>()
  readonly #budget: ClientBudget
  #client: string | undefined
  #digests = 0

  constructor(budget: ClientBudget) {
    this.#budget = budget
  }

  /** Whose they are: the first who is known stays it. */
  belongTo(client: string): void {
    if (this.#client !== undefined) return
    this.#budget.add(undefined, -this.#digests)
    this.#client = client
    this.#budget.add(client, this.#digests)
  }

  /** How many digests are kept. */
  get size(): number {
    return this.#digests
  }

  get(index: number): readonly string[] | undefined {
    return this.#leaves.get(index)
  }

  /** Whether one more digest may be kept of this block. */
  hasRoom(index: number, leaf: string): boolean {
    const known = this.get(index) ?? []
    if (known.includes(leaf) || known.length >= MAX_CLAIMS) return true
    return this.#budget.hasRoom(this.#digests) && this.#budget.usedBy(this.#client) < this.#budget.perClient
  }

  /** Whatever the room. Of one block the last four are kept. */
  add(index: number, leaf: string): void {
    const known = this.get(index) ?? []
    if (known.includes(leaf)) return
    this.#count(known.length < MAX_CLAIMS ? 1 : 0)
    this.#leaves.set(index, [...known, leaf].slice(-MAX_CLAIMS))
  }

  delete(index: number): void {
    this.#count(-(this.get(index)?.length ?? 0))
    this.#leaves.delete(index)
  }

  /** Empty, with nothing left to be recorded. */
  forget(): void {
    this.#count(-this.#digests)
    this.#leaves.forget()
  }

  /** Each change is given once; null for what was deleted. */
  takeChanges(): [index: number, leaves: readonly string[] | null][] {
    return this.#leaves.takeChanges()
  }

  /** As the record has it already. */
  restore(index: number, leaves: readonly string[]): void {
    this.#count(leaves.length - (this.get(index)?.length ?? 0))
    this.#leaves.restore(index, leaves)
  }

  #count(more: number): void {
    this.#digests += more
    this.#budget.add(this.#client, more)
  }
}
