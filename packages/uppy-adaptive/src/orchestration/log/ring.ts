/** The last items that were pushed, oldest first; pushing is O(1). */
export class Ring<T> {
  readonly #size: number
  readonly #items: T[] = []
  #pushed = 0

  constructor(size: number) {
    this.#size = size
  }

  /** How many are kept no more. */
  get dropped(): number {
    return this.#pushed - this.#items.length
  }

  push(item: T): void {
    this.#items[this.#pushed % this.#size] = item
    this.#pushed += 1
  }

  items(): T[] {
    const oldest = this.#pushed % this.#size
    return this.dropped === 0 ? [...this.#items] : [...this.#items.slice(oldest), ...this.#items.slice(0, oldest)]
  }
}
