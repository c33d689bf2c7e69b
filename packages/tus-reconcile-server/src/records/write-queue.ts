import type { ContentEntry } from './content-index.js'
import { IndexError } from './index-error.js'
import type { ChangeSource } from './partition-index.js'

export type ContentStep =
  | { readonly kind: 'put'; readonly entries: readonly ContentEntry[] }
  | { readonly kind: 'removeFile'; readonly fileId: string }

/** What is to be kept together: all of it or nothing. */
export interface Batch {
  readonly saved: Map<string, ChangeSource>
  readonly removed: Set<string>
  readonly contents: ContentStep[]
}

/** Groups whose change was not kept, each with its reason; the rest of the batch was. */
export type Failures = ReadonlyMap<string, unknown>

/** One batch is written at a time; what is asked for meanwhile goes into the next. */
export class WriteQueue {
  readonly #write: (batch: Batch) => Promise<Failures>
  #open: { readonly batch: Batch; readonly written: Promise<Failures> } | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(write: (batch: Batch) => Promise<Failures>) {
    this.#write = write
  }

  async save(id: string, source: ChangeSource): Promise<void> {
    const { batch, written } = this.#next()
    if (batch.removed.has(id)) {
      // a new group of a name that is being forgotten: its record begins after the old one's end
      await written
      return this.save(id, source)
    }
    batch.saved.set(id, source)
    const failures = await written
    if (failures.has(id)) throw failures.get(id)
  }

  async remove(id: string): Promise<void> {
    const { batch, written } = this.#next()
    batch.saved.delete(id)
    batch.removed.add(id)
    await written
  }

  async change(step: ContentStep): Promise<void> {
    const { batch, written } = this.#next()
    batch.contents.push(step)
    await written
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#open?.written.catch(() => {})
    await this.#last
  }

  #next(): { readonly batch: Batch; readonly written: Promise<Failures> } {
    if (this.#closed) throw new IndexError('closed', 'the index is closed')
    if (this.#open) return this.#open
    const batch: Batch = { saved: new Map(), removed: new Set(), contents: [] }
    const written = this.#writeAfter(this.#last, batch)
    this.#last = written.catch(() => {})
    this.#open = { batch, written }
    return this.#open
  }

  async #writeAfter(previous: Promise<unknown>, batch: Batch): Promise<Failures> {
    await previous
    // all that this turn of the event loop asks for goes together
    await new Promise((resolve) => setImmediate(resolve))
    this.#open = undefined
    return this.#write(batch)
  }
}
