import type { RateSample, RateWindow } from './rate-window.js'

/** What is known of a level at which there is room for more sessions. */
export interface LevelFacts {
  readonly nowMs: number
  readonly rates: RateWindow
  readonly level: RateSample
  readonly levelMs: number
  /** For so long of it no path in use has had a standing queue. */
  readonly quietMs: number
  readonly hosts: number
  readonly limit: number
  readonly isRamping: boolean
  /** The last number that was tried has paid: the next one needs no other reason. */
  readonly hasPaid: boolean
  /** Each session has a window of its own that is known to be small. */
  readonly hasSmallWindows: boolean
  /** The shortest that was seen on these paths: without a queue. */
  readonly minRequestRttMs: number
}

export interface MoreSessions {
  readonly limit: number
  /** What the rate is to be compared with. */
  readonly before: RateSample
  readonly reason: 'ramp' | 'window' | 'below' | 'unsteady' | 'quiet'
}

/** Still rising: a connection that starts up, not a level; or still falling. */
export const STEEP = 1.3
/** Rates over the last seconds that vary by this share are not a link's own pace: bytes are lost on it (measured: up to 0.11 clean, from 0.36 under 1 % loss). */
const UNSTEADY = 0.25
const STEADY_MS = 3_050
/**
 * Several hosts' rates without a queue, the lowest and the highest that lasted so long: where they differ by this, the paths
 * can carry more, and bytes are lost on them (guess; 1 % loss: factor 2 to 4 within seconds).
 */
const BELOW = 0.6
const BELOW_MS = 750
/** A rate lasts for so many round trips: what arrives in one of them, and not in the next, is one connection's start (guess). */
const BELOW_RTTS = 2
/** The highest says how many would carry it; at most so many times as many at once (guess). */
const MOST_STEP = 4
/**
 * A level without a queue for so long is tried even so (guess: a server or its path may hold each connection back). Where
 * several send, a trial breaks up no long request, and is sooner worth it.
 */
const QUIET_MS = 20_000
const QUIET_HOSTS_MS = 3_000

/** Where each session has a small window: more share a connection that stands already, and take nothing from others. First four times as many (guess: nginx's window fills 100 Mbit/s at 40 ms eight times). */
const WINDOW_STEP = 4

/**
 * Whether more sessions are to be tried, how many and why. A wrong trial costs a connection's start and what it makes others
 * lose: paths that are used well are left alone.
 */
export function decideMore(facts: LevelFacts): MoreSessions | undefined {
  const { level, levelMs, quietMs, hosts, rates, nowMs } = facts
  const times = (step: number) => (facts.isRamping ? step * facts.limit : facts.limit + 1)
  const more = { limit: times(2), before: level }
  if (facts.hasPaid) return { ...more, reason: 'ramp' }
  if (facts.hasSmallWindows) return { ...more, limit: times(WINDOW_STEP), reason: 'window' }
  if (hosts === 1) {
    if (levelMs >= STEADY_MS && rates.variation(nowMs - STEADY_MS) > UNSTEADY) return { ...more, reason: 'unsteady' }
    return quietMs >= QUIET_MS ? { ...more, reason: 'quiet' } : undefined
  }
  return decideBelow(facts, more.limit) ?? (quietMs >= QUIET_HOSTS_MS ? { ...more, reason: 'quiet' } : undefined)
}

/** Less flows than shortly before. */
export function isBelow(rates: RateWindow, minRequestRttMs: number): boolean {
  const lastsMs = belowMs(minRequestRttMs)
  const highest = rates.extremes(lastsMs)?.highest
  return highest !== undefined && rates.recent(lastsMs).mean < BELOW * highest.mean
}

const belowMs = (minRequestRttMs: number) => Math.max(BELOW_MS, BELOW_RTTS * minRequestRttMs)

function decideBelow(facts: LevelFacts, least: number): MoreSessions | undefined {
  const { rates, quietMs, limit } = facts
  const lastsMs = belowMs(facts.minRequestRttMs)
  const extremes = rates.extremes(lastsMs)
  if (!extremes || quietMs < lastsMs || rates.trend(STEEP) === 'falling') return undefined
  const { lowest, highest } = extremes
  const share = Math.min(MOST_STEP, highest.mean / Math.max(lowest.mean, Number.MIN_VALUE))
  if (share * BELOW < 1) return undefined
  return { limit: Math.max(least, Math.round(limit * share)), before: lowest, reason: 'below' }
}
