/** After each step, pause for this many times as long as it took: at most a quarter of one core for each whose steps these are (guess). */
const REST_TIMES = 3
/** A busy server is asked again this much later (guess). */
const BUSY_REST_MS = 50

/** How work that nobody waits for makes way for what somebody waits for. */
export class BackgroundPace {
  readonly #isBusy: () => boolean
  #isClosed = false

  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy
  }

  /** Runs one step, then waits until the next is due. `undefined` once closed: nothing is begun then. */
  async step<T>(run: () => Promise<T>): Promise<T | undefined> {
    if (this.#isClosed) return undefined
    const began = performance.now()
    const result = await run()
    await pause((performance.now() - began) * REST_TIMES)
    while (!this.#isClosed && this.#isBusy()) await pause(BUSY_REST_MS)
    return this.#isClosed ? undefined : result
  }

  close(): void {
    this.#isClosed = true
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
