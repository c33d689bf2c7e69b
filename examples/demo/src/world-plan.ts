import { seededRandom } from 'reconcile-test-support/links/index'

export interface PathPlan {
  readonly name: string
  readonly upBytesPerSecond: number
  /** One way. */
  readonly delayMs: number
}

export interface WorldPlan {
  readonly lastMileBytesPerSecond: number
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
/** Between servers everything is at least this much faster than the user's own line. */
const PEER_FACTOR = 6

/**
 * Rates and delays for a file. No path alone fills the last mile, when there are several: 0.5 to 0.8 of it each. A
 * single one nearly does.
 */
export function planWorld(o: { sizeBytes: number; seed: number; servers: 1 | 3 }): WorldPlan {
  const random = seededRandom(`world ${o.seed}`)
  const wanted = o.sizeBytes / IDEAL_SECONDS
  const lastMile = Math.min(Math.max(wanted, SLOWEST_BYTES_PER_SECOND), FASTEST_BYTES_PER_SECOND)
  const [least, most] = o.servers === 1 ? [0.9, 1] : [0.5, 0.8]
  const paths = Array.from({ length: o.servers }, (_, index) => ({
    name: nameOfServer(index),
    upBytesPerSecond: Math.round(lastMile * (least + (most - least) * random())),
    delayMs: Math.round(10 + 30 * random()),
  }))
  return {
    lastMileBytesPerSecond: Math.round(lastMile),
    paths,
    peerBytesPerSecond: Math.round(lastMile * PEER_FACTOR),
    peerDelayMs: 5,
  }
}

export function nameOfServer(index: number): string {
  return index === 0 ? 'primary' : `mirror ${index}`
}
