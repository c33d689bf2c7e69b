import { Ewma } from './ewma.js'
import { requireInput } from './predictor-error.js'

/** About what plain regression on the last second sees; what plans are made of; and what the link gives in the long run (guesses). */
const HALF_LIVES_MS = { now: 700, recent: 7_000, usual: 40_000 } as const

/** Guess: beyond a factor of twenty, more says nothing. */
const MOST_OPTIMISM = 3

export type Span = keyof typeof HALF_LIVES_MS

/**
 * What all sessions together get through the link, bytes per second, silence counted: duration-weighted means of three
 * half-lives over the ticks in which something was in flight. Source: METHODS, Estimators (EWMA). Unlike `Goodput` it
 * leaves out no small sample and no outage: it says how the link fares, not what it can do. Cold start: undefined.
 */
export class LinkPace {
  readonly #means: { readonly [span in Span]: Ewma } = {
    now: new Ewma(HALF_LIVES_MS.now),
    recent: new Ewma(HALF_LIVES_MS.recent),
    usual: new Ewma(HALF_LIVES_MS.usual),
  }
  #bytes = 0
  #isLimitedByUs = false
  #sinceMs: number | undefined

  acknowledged(o: { bytes: number; appLimited: boolean }): void {
    requireInput('bytes', o.bytes)
    this.#bytes += o.bytes
    this.#isLimitedByUs ||= o.appLimited
  }

  /** `isInUse`: something was in flight since the last tick. What the source or our own pause limited is left out. */
  tick(nowMs: number, isInUse: boolean): void {
    const durationMs = nowMs - (this.#sinceMs ?? nowMs)
    if (isInUse && !this.#isLimitedByUs && durationMs > 0) {
      const bytesPerSecond = (this.#bytes / durationMs) * 1000
      this.#means.now.add(bytesPerSecond, durationMs)
      this.#means.recent.add(bytesPerSecond, durationMs)
      this.#means.usual.add(bytesPerSecond, durationMs)
    }
    this.restart(nowMs)
  }

  /** A local pause: what was gathered since the last tick is dropped. */
  restart(nowMs: number): void {
    this.#bytes = 0
    this.#isLimitedByUs = false
    this.#sinceMs = nowMs
  }

  /** ln of the recent over the usual pace: how much a plan made of the recent one hopes for. 0 while not known. */
  get optimism(): number {
    const recent = this.bytesPerSecond('recent')
    const usual = this.bytesPerSecond('usual')
    if (recent === undefined || usual === undefined || recent <= 0 || usual <= 0) return 0
    return Math.min(MOST_OPTIMISM, Math.max(-MOST_OPTIMISM, Math.log(recent / usual)))
  }

  bytesPerSecond(span: Span): number | undefined {
    return this.#means[span].estimate()
  }
}
