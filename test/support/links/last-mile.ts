import type { RateSchedule, RateStep } from './rate-schedule.js'
import { RatedPath, type Rates } from './rated-path.js'
import { Shaper } from './shaper.js'

export type LastMileOptions = {
  /** Bytes per second all its links have together towards their servers, or steps in ms since the last mile's start. */
  readonly upBytesPerSecond: number | RateSchedule
  /** The same towards the client; default no limit. */
  readonly downBytesPerSecond?: number | RateSchedule
}

/**
 * A bottleneck that several links have in common: the client's own access line. Its rate is shared round robin, turn by
 * turn, among the active connections of all its links, whatever link they belong to; each link's own rate and delay hold
 * besides. It holds nothing that needs closing.
 *
 * @throws RangeError for a rate that is negative or not a number, or for steps out of order
 */
export class LastMile {
  readonly #path: RatedPath
  readonly #shapers: { readonly up: Shaper; readonly down: Shaper }
  #isCut = false

  constructor(options: LastMileOptions) {
    this.#path = new RatedPath(options)
    this.#shapers = { up: new Shaper(this.#path.up), down: new Shaper(this.#path.down) }
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** The instant, on the clock of `performance.now()`, that `rateHistory` and the steps of its rates count from. */
  get startedAtMs(): number {
    return this.#path.startedAtMs
  }

  /** The up-rate that was in force since the start, 0 while cut; ms since `startedAtMs`, up to now. */
  get rateHistory(): RateStep[] {
    return this.#path.rateHistory
  }

  /** Its rates and turns, for the links that run over it. */
  get shared(): { readonly path: RatedPath; readonly up: Shaper; readonly down: Shaper } {
    return { path: this.#path, ...this.#shapers }
  }

  /** New rates, at once; what is left out stays. */
  set(rates: Rates): void {
    this.#path.set(rates)
    this.#wake()
  }

  /** Nothing gets through on any of its links from now on, silently; new connections hang. */
  cut(): void {
    this.#isCut = true
    this.#path.recordOpen(false)
  }

  /** Ends `cut`: held connections go on where they stopped. */
  restore(): void {
    this.#isCut = false
    this.#path.recordOpen(true)
    this.#wake()
  }

  #wake(): void {
    this.#shapers.up.wakeAll()
    this.#shapers.down.wakeAll()
  }
}
