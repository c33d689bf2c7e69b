/** How old an answer may be: at 1 Gbit/s some 60 MB arrive meanwhile, less than the default watermark (guess). */
const REFRESH_MS = 500

/** Whether the disk is nearly full, known without waiting for the disk. */
export class FreeSpace {
  readonly #probe: () => Promise<number>
  readonly #leastBytes: number
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #isShort = false

  /** @param probe bytes that can still be written */
  constructor(probe: () => Promise<number>, leastBytes: number) {
    this.#probe = probe
    this.#leastBytes = leastBytes
  }

  /** As of the last look, which asking renews. Nobody is refused by an old one: only then the disk is waited for. */
  isShort(): boolean | Promise<boolean> {
    if (performance.now() - this.#lookedAt <= REFRESH_MS) return this.#isShort
    const looking = this.look()
    return this.#isShort ? looking.then(() => this.#isShort) : false
  }

  /** Settles when the disk was asked. What cannot be asked counts as empty: writing will tell. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const free = await this.#probe().catch(() => Number.POSITIVE_INFINITY)
    this.#isShort = free < this.#leastBytes
    this.#lookedAt = performance.now()
  }
}
