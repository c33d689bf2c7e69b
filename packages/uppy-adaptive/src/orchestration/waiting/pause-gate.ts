import { onAbort } from '../timing.js'
import { UploadError } from '../upload-error.js'

/** Who has closed it: the user, or the page, of which nothing runs. */
export type PausedBy = 'user' | 'page'

/** Where an upload waits while it is paused by anybody. Open to begin with. */
export class PauseGate {
  readonly #closedBy = new Set<PausedBy>()
  readonly #waiting = new Set<() => void>()
  /** Ends what runs while it is open. */
  readonly #running = new Set<() => void>()

  close(by: PausedBy): void {
    this.#closedBy.add(by)
    for (const end of this.#running) end()
  }

  open(by: PausedBy): void {
    this.#closedBy.delete(by)
    for (const go of this.#waiting) go()
  }

  /** Resolves once the gate is open. @throws UploadError `aborted` as soon as the signal fires, paused or not */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.#isClosed(signal)) await this.#opened(signal)
  }

  /** Acts while the gate is open: ended when it closes, and begun anew when it opens. @throws what `act` throws, or as `pass` */
  async whileOpen<T>(signal: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      while (this.#isClosed(signal)) await this.#opened(signal)
      const stop = new AbortController()
      const end = () => stop.abort()
      const leave = onAbort(signal, end)
      this.#running.add(end)
      try {
        return await act(stop.signal)
      } catch (error) {
        if (signal.aborted || !stop.signal.aborted) throw error
      } finally {
        this.#running.delete(end)
        leave()
      }
    }
  }

  /** @throws UploadError `aborted` where the signal has fired */
  #isClosed(signal: AbortSignal): boolean {
    if (signal.aborted) throw new UploadError('aborted', 'stopped')
    return this.#closedBy.size > 0
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
