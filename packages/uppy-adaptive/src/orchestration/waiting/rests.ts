import type { Clock } from '../ports.js'
import { onAbort, pause } from '../timing.js'

/** Pauses after failures of the network, which end at once when something says that it is back. */
export class Rests {
  readonly #clock: Clock
  readonly #ends = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `delayMs`, or as soon as the signal fires or `endAll` is called. Leaves no timer. */
  async take(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const rest = new AbortController()
    const end = () => rest.abort()
    const leave = onAbort(signal, end)
    this.#ends.add(end)
    await pause(this.#clock, delayMs, rest.signal)
    this.#ends.delete(end)
    leave()
  }

  endAll(): void {
    for (const end of this.#ends) end()
  }
}
