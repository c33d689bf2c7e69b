import { UploadError } from './upload-error.js'

/** Who has closed it: the user, or the page, of which nothing runs. */
export type PausedBy = 'user' | 'page'

/** Where an upload waits while it is paused by anybody. Open to begin with. */
export class PauseGate {
  readonly #closedBy = new Set<PausedBy>()
  readonly #waiting = new Set<() => void>()

  close(by: PausedBy): void {
    this.#closedBy.add(by)
  }

  open(by: PausedBy): void {
    this.#closedBy.delete(by)
    for (const go of this.#waiting) go()
  }

  /** Resolves once the gate is open. @throws UploadError `aborted` as soon as the signal fires, paused or not */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.#closedBy.size > 0 && !signal.aborted) await this.#opened(signal)
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
