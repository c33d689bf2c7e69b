import type { GroupRecord, PartitionIndex } from './partition-index.js'

/** Records that end with the process: for tests, and for servers that need no restart. */
export class MemoryIndex implements PartitionIndex {
  readonly #records = new Map<string, GroupRecord>()

  async load(): Promise<readonly GroupRecord[]> {
    return [...this.#records.values()]
  }

  async save(id: string, snapshot: () => GroupRecord): Promise<void> {
    this.#records.set(id, structuredClone(snapshot()))
  }

  async remove(id: string): Promise<void> {
    this.#records.delete(id)
  }

  async close(): Promise<void> {}
}
