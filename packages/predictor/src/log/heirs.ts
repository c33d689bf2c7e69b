import { countWhere } from './halving.js'
import type { SessionRun } from './upload-run.js'

/** Sessions of a page: searched together, so that a log of many sessions is not read through for each of them. */
const PAGE = 64

interface Page {
  /** In the order of their starts. */
  readonly sessions: readonly SessionRun[]
  /** The bytes that they are of. */
  readonly start: number
  readonly end: number
  readonly lastStartedMs: number
}

/** Who sent which bytes next. */
export class Heirs {
  readonly #pages: readonly Page[]

  constructor(sessions: Iterable<SessionRun>) {
    const ordered = [...sessions].sort((a, b) => a.startedMs - b.startedMs)
    const count = Math.ceil(ordered.length / PAGE)
    this.#pages = Array.from({ length: count }, (_, page) => pageOf(ordered.slice(page * PAGE, (page + 1) * PAGE)))
  }

  /** The first session, from then on, of any of these bytes; not the one that had them. */
  heirOf(victim: SessionRun | undefined, bytes: { from: number; to: number; sinceMs: number }): SessionRun | undefined {
    const { from, to, sinceMs } = bytes
    const first = countWhere(this.#pages, ({ lastStartedMs }) => lastStartedMs < sinceMs)
    for (let at = first; at < this.#pages.length; at++) {
      const page = this.#pages[at] as Page
      if (page.start >= to || page.end <= from) continue
      const heir = page.sessions.find(
        (each) => each !== victim && each.startedMs >= sinceMs && each.start < to && each.plannedEnd > from,
      )
      if (heir) return heir
    }
    return undefined
  }
}

function pageOf(sessions: readonly SessionRun[]): Page {
  return {
    sessions,
    start: Math.min(...sessions.map(({ start }) => start)),
    end: Math.max(...sessions.map(({ plannedEnd }) => plannedEnd)),
    lastStartedMs: sessions.at(-1)?.startedMs ?? 0,
  }
}
