import { PLANNED_MS } from './simulated-session.js'

const REMEMBERED = 64
/** Storj: of the pieces sent at once, the third to finish tells how long the others may take. */
const PIECES = 5

/** Durations of completed sessions, as timers that adapt use them. */
export class RecentDurations {
  #lastMs: number[] = []

  add(durationMs: number): void {
    this.#lastMs = [...this.#lastMs, durationMs].slice(-REMEMBERED)
  }

  /** AWS CRT: p90 of the last parts; undefined before any. */
  p90(): number | undefined {
    const sorted = this.#lastMs.toSorted((a, b) => a - b)
    return sorted[Math.ceil(0.9 * sorted.length) - 1]
  }

  thirdFinisher(): number | undefined {
    return this.#lastMs.slice(-PIECES).sort((a, b) => a - b)[2]
  }
}

/** A failure is felt for about so long. */
const FAILURE_MEMORY_MS = 20_000

/** What plain logistic regression on progress is given. Rates and shares are over those planned. */
export function progressFeatures(o: {
  readonly elapsedMs: number
  readonly share: number
  readonly gapMs: number
  readonly ownRate: number
  readonly fairRate: number
  readonly sinceFailureMs: number
}): readonly number[] {
  const log = (ratio: number) => Math.log(Math.min(4, ratio) + 0.02)
  const failed = Math.exp(-o.sinceFailureMs / FAILURE_MEMORY_MS)
  const atLaunch = [1, log(o.fairRate), failed]
  if (o.elapsedMs === 0) return atLaunch
  return [...atLaunch, log(o.share / Math.min(1, o.elapsedMs / PLANNED_MS)), log(o.ownRate), Math.log1p(o.gapMs / 250)]
}
