import {
  type RateSchedule,
  type Rates,
  scheduleOfTrace,
  seededRandom,
  type Trace,
} from 'reconcile-test-support/links/index'

export interface PathPlan {
  readonly name: string
  readonly upBytesPerSecond: number
  /** One way. */
  readonly delayMs: number
}

export interface WorldPlan {
  /** On the average, where it follows a trace. */
  readonly lastMileBytesPerSecond: number
  /** What the last mile follows instead of one rate. */
  readonly trace: Trace | undefined
  /** The page's way to each server; the first is the primary's. */
  readonly paths: readonly PathPlan[]
  /** Between servers. */
  readonly peerBytesPerSecond: number
  readonly peerDelayMs: number
}

const MBIT = 125_000
/** The issue: the ideal time is about 20 s, within 20 to 100 Mbit/s. */
const IDEAL_SECONDS = 20
const SLOWEST_BYTES_PER_SECOND = 20 * MBIT
const FASTEST_BYTES_PER_SECOND = 100 * MBIT
/** Answers are small: they get so many times the rate of uploads. */
const DOWN_FACTOR = 4
/** Between servers everything is at least this much faster than the user's own line. */
const PEER_FACTOR = 6

/**
 * Rates and delays for a file. No path alone fills the last mile, when there are several: 0.5 to 0.8 of it each. A
 * single one nearly does.
 */
export function planWorld(o: {
  readonly sizeBytes: number
  readonly seed: number
  readonly servers: 1 | 3
  readonly trace?: Trace | undefined
}): WorldPlan {
  const random = seededRandom(`world ${o.seed}`)
  const wanted = o.sizeBytes / IDEAL_SECONDS
  const fitting = Math.min(Math.max(wanted, SLOWEST_BYTES_PER_SECOND), FASTEST_BYTES_PER_SECOND)
  const lastMile = o.trace?.meanBytesPerSecond ?? fitting
  const [least, most] = o.servers === 1 ? [0.9, 1] : [0.5, 0.8]
  const paths = Array.from({ length: o.servers }, (_, index) => ({
    name: nameOfServer(index),
    upBytesPerSecond: Math.round(lastMile * (least + (most - least) * random())),
    delayMs: Math.round(10 + 30 * random()),
  }))
  return {
    lastMileBytesPerSecond: Math.round(lastMile),
    trace: o.trace,
    paths,
    peerBytesPerSecond: Math.round(lastMile * PEER_FACTOR),
    peerDelayMs: 5,
  }
}

/** What the last mile lets through, or a share of it. */
export function lastMileRates({ trace, lastMileBytesPerSecond }: WorldPlan, share = 1): Required<Rates> {
  const rate = (factor: number): number | RateSchedule =>
    trace === undefined ? lastMileBytesPerSecond * factor : scheduleOfTrace(trace, factor)
  return { upBytesPerSecond: rate(share), downBytesPerSecond: rate(share * DOWN_FACTOR) }
}

/** What a path lets through by itself. */
export function ratesOf({ upBytesPerSecond }: PathPlan): { upBytesPerSecond: number; downBytesPerSecond: number } {
  return { upBytesPerSecond, downBytesPerSecond: upBytesPerSecond * DOWN_FACTOR }
}

export function nameOfServer(index: number): string {
  return index === 0 ? 'primary' : `mirror ${index}`
}
