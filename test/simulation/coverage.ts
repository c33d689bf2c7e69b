/** How often each thing that must happen has happened. */
export class Coverage {
  readonly #counts = new Map<string, number>()

  count(what: string, times: number = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times)
  }

  add(counts: Iterable<readonly [string, number]>): void {
    for (const [what, times] of counts) this.count(what, times)
  }

  entries(): [string, number][] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }
}
