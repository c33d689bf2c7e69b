/** At the home: by peer, the leaves that it has verified. */
export class MemoryReports {
  readonly #leaves: Map<string, Map<number, string>>

  constructor(of: ReadonlyMap<string, ReadonlyMap<number, string>> = new Map()) {
    this.#leaves = new Map([...of].map(([store, leaves]) => [store, new Map(leaves)]))
  }

  get byStore(): ReadonlyMap<string, ReadonlyMap<number, string>> {
    return this.#leaves
  }

  /** Of all stores. */
  get indices(): number[] {
    return [...this.#leaves.values()].flatMap((leaves) => [...leaves.keys()])
  }

  add(store: string, index: number, leaf: string): void {
    const leaves = this.#leaves.get(store) ?? new Map<number, string>()
    this.#leaves.set(store, leaves.set(index, leaf))
  }

  withdraw(store: string, index: number): void {
    this.#leaves.get(store)?.delete(index)
  }

  /** What any peer has reported of the block. */
  leafOf(index: number): string | undefined {
    for (const leaves of this.#leaves.values()) {
      const leaf = leaves.get(index)
      if (leaf !== undefined) return leaf
    }
    return undefined
  }

  /** The same, whatever becomes of this one. */
  copy(): MemoryReports {
    return new MemoryReports(this.#leaves)
  }
}
