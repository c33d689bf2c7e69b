import { MemoryEntries } from '../records/memory-index.js'
import type { EntryWrites } from '../records/ordered-entries.js'

/** A database whose disk is full when a test says so: what is written then is refused, and nothing of it kept. */
export class FullEntries extends MemoryEntries {
  isFull = false

  override async write(writes: EntryWrites): Promise<void> {
    if (this.isFull) throw new Error('no space')
    await super.write(writes)
  }
}
