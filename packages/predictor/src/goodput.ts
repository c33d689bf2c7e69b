import { Ewma } from './ewma.js'
import { requireInput } from './predictor-error.js'

/** Half-lives 2 s and 5 s: Shaka's; measured better than hls.js's 3 / 9 on our traces (METHODS, Estimators). */
const FAST_HALF_LIFE_MS = 2_000
const SLOW_HALF_LIFE_MS = 5_000
/** Shaka's: a smaller sample says more of latency than of rate. */
const MIN_SAMPLE_BYTES = 16_000
/** Guess: the finest step of a clock. */
const MIN_SAMPLE_MS = 1
/** Shaka's: no answer before this much was seen. */
const MIN_TOTAL_BYTES = 128_000

export interface KnownGoodput {
  /** Both means, bytes per second. */
  readonly fast: number
  readonly slow: number
  /** On how much time and on how many bytes they rest. */
  readonly weightMs: number
  readonly totalBytes: number
}

/** Guess: an earlier estimate weighs no more than this time and these bytes. */
const MOST_KNOWN_MS = 10_000
const MOST_KNOWN_BYTES = 8_000_000

/**
 * Goodput of acknowledged unique bytes: two duration-weighted means, `min(fast, slow)`, so it falls quickly and rises
 * with care. Samples under 16 kB are gathered until they are large enough. Samples that the source, the CPU or our own
 * pause limited are refused, with what was gathered before them. Cold start: undefined until 128 kB were seen.
 * Source: Shaka player, `lib/abr/ewma_bandwidth_estimator.js` (METHODS, Estimators).
 */
export class Goodput {
  readonly #fast: Ewma
  readonly #slow: Ewma
  #gatheredBytes = 0
  #gatheredMs = 0
  #totalBytes: number

  constructor(known?: KnownGoodput) {
    const at = (value: number) => ({ value, weightMs: Math.min(MOST_KNOWN_MS, known?.weightMs ?? 0) })
    this.#fast = new Ewma(FAST_HALF_LIFE_MS, known && at(known.fast))
    this.#slow = new Ewma(SLOW_HALF_LIFE_MS, known && at(known.slow))
    this.#totalBytes = Math.min(MOST_KNOWN_BYTES, known?.totalBytes ?? 0)
  }

  get known(): KnownGoodput | undefined {
    const fast = this.#fast.estimate()
    const slow = this.#slow.estimate()
    if (fast === undefined || slow === undefined) return undefined
    const weightMs = Math.min(MOST_KNOWN_MS, this.#slow.weightMs)
    return { fast, slow, weightMs, totalBytes: Math.min(MOST_KNOWN_BYTES, this.#totalBytes) }
  }

  add(sample: { bytes: number; durationMs: number; appLimited?: boolean }): void {
    requireInput('bytes', sample.bytes)
    requireInput('durationMs', sample.durationMs)
    if (sample.appLimited) {
      this.discard()
      return
    }
    this.#gatheredBytes += sample.bytes
    this.#gatheredMs += sample.durationMs
    if (this.#gatheredBytes < MIN_SAMPLE_BYTES || this.#gatheredMs < MIN_SAMPLE_MS) return
    const bytesPerSecond = this.#gatheredBytes / (this.#gatheredMs / 1000)
    this.#fast.add(bytesPerSecond, this.#gatheredMs)
    this.#slow.add(bytesPerSecond, this.#gatheredMs)
    this.#totalBytes += this.#gatheredBytes
    this.discard()
  }

  /** Forgets what was gathered towards the next sample. */
  discard(): void {
    this.#gatheredBytes = 0
    this.#gatheredMs = 0
  }

  bytesPerSecond(): number | undefined {
    if (this.#totalBytes < MIN_TOTAL_BYTES) return undefined
    const fast = this.#fast.estimate()
    const slow = this.#slow.estimate()
    return fast === undefined || slow === undefined ? undefined : Math.min(fast, slow)
  }
}
