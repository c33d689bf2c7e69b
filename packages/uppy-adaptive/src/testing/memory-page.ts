import type { Page, PageListener } from '../orchestration/ports.js'

/** A page that a test leaves, freezes and wakes. */
export class MemoryPage implements Page {
  readonly #listeners = new Set<PageListener>()
  savesData = false

  watch(listener: PageListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  isSavingData(): boolean {
    return this.savesData
  }

  leave(): void {
    for (const listener of this.#listeners) listener.onLeave()
  }

  sleep(): void {
    for (const listener of this.#listeners) listener.onSleep('freeze')
  }

  wake(): void {
    for (const listener of this.#listeners) listener.onWake()
  }

  goOnline(): void {
    for (const listener of this.#listeners) listener.onOnline()
  }
}
