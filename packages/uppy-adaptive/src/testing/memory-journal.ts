import type { JournalStorage } from '../orchestration/ports.js'

/** Small texts that outlive a client. */
export class MemoryJournal implements JournalStorage {
  readonly texts = new Map<string, string>()
  /** Whatever is asked of it then fails. */
  fault: Error | undefined

  async get(key: string): Promise<string | undefined> {
    this.#fail()
    return this.texts.get(key)
  }

  async set(key: string, value: string): Promise<void> {
    this.#fail()
    this.texts.set(key, value)
  }

  async delete(key: string): Promise<void> {
    this.#fail()
    this.texts.delete(key)
  }

  #fail(): void {
    if (this.fault) throw this.fault
  }
}
