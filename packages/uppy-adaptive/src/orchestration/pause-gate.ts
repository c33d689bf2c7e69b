import { UploadError } from './upload-error.js'

/** Where an upload waits while it is paused. Open to begin with. */
export class PauseGate {
  #isClosed = false
  readonly #waiting = new Set<() => void>()

  get isClosed(): boolean {
    return this.#isClosed
  }

  close(): void {
    this.#isClosed = true
  }

  open(): void {
    this.#isClosed = false
    for (const go of this.#waiting) go()
  }

  /** Resolves once the gate is open. @throws UploadError `aborted` as soon as the signal fires, paused or not */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.#isClosed && !signal.aborted) await this.#opened(signal)
    if (signal.aborted) throw new UploadError('aborted', 'stopped')
  }

  #opened(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#waiting.delete(go)
        signal.removeEventListener('abort', go)
        resolve()
      }
      this.#waiting.add(go)
      signal.addEventListener('abort', go)
    })
  }
}
