import { EntryIndex } from './entry-index.js'
import type { EntryWrites, KeyRange, OrderedEntries } from './ordered-entries.js'

/** Records that end with the process: for tests, and for servers that need no restart. */
export class MemoryIndex extends EntryIndex {
  constructor() {
    super(new MemoryEntries())
  }
}

export class MemoryEntries implements OrderedEntries {
  readonly #values = new Map<string, string>()

  async open(): Promise<void> {}

  async write(writes: EntryWrites): Promise<void> {
    for (const [key, value] of writes) {
      if (value === null) this.#values.delete(key)
      else this.#values.set(key, value)
    }
  }

  async clear(range: KeyRange): Promise<void> {
    for (const key of this.#keysIn(range)) this.#values.delete(key)
  }

  async *entries(range: KeyRange): AsyncGenerator<readonly [key: string, value: string]> {
    for (const key of this.#keysIn(range).sort()) yield [key, this.#values.get(key) ?? '']
  }

  async getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return keys.map((key) => this.#values.get(key))
  }

  async close(): Promise<void> {}

  #keysIn(range: KeyRange): string[] {
    return [...this.#values.keys()].filter((key) => key >= range.from && key < range.to)
  }
}
