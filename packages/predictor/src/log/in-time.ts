import { countWhere } from './halving.js'
import type { LogEvent } from './log-event.js'

/** As of the risk model's clock: a smaller step back counts as standing still. */
const MOST_STEP_MS = 5_000

/**
 * Events in the order of their numbers, with times that never go back. Those that agree stay: the longest rising sequence of
 * times. What stands off by a small step is moved between its neighbours; what stands off further is misdated and left out.
 */
export function inTime(events: readonly LogEvent[]): { timed: LogEvent[]; misdated: number } {
  const agreeing = longestRise(events)
  const timed: LogEvent[] = []
  let nextMs = Number.MAX_SAFE_INTEGER
  const nextsMs = events.toReversed().map((event) => {
    if (agreeing.has(event)) nextMs = event.elapsedMs
    return nextMs
  })
  let latestMs = 0
  for (const event of events) {
    const elapsedMs = Math.min(nextsMs.pop() ?? 0, Math.max(latestMs, event.elapsedMs))
    if (event.type === 'script' || agreeing.has(event)) timed.push(event)
    else if (Math.abs(elapsedMs - event.elapsedMs) <= MOST_STEP_MS) timed.push({ ...event, elapsedMs })
    else continue
    if (event.type !== 'script') latestMs = elapsedMs
  }
  return { timed, misdated: events.length - timed.length }
}

/** Patience sorting: `tails[k]` ends the rise of k + 1 events that ends lowest. */
function longestRise(events: readonly LogEvent[]): Set<LogEvent> {
  const tails: Rise[] = []
  for (const event of events) {
    if (event.type === 'script') continue
    const at = countWhere(tails, ({ event: { elapsedMs } }) => elapsedMs <= event.elapsedMs)
    tails[at] = { event, before: tails[at - 1] }
  }
  const longest = new Set<LogEvent>()
  for (let rise = tails.at(-1); rise !== undefined; rise = rise.before) longest.add(rise.event)
  return longest
}

interface Rise {
  readonly event: LogEvent
  readonly before: Rise | undefined
}
