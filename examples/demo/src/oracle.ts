import {
  combineSchedules,
  estimateIdealMs,
  type LastMile,
  type Link,
  type RateSchedule,
  rebaseSchedule,
  unlimitedBytesPerSecond,
} from 'reconcile-test-support/links/index'
import type { World, WorldServer } from './world.js'

/**
 * The best possible on these links as they were: the fluid oracle over what each of them let through, with nothing
 * while a server's process was dead. ms from the upload's start, which is an instant of the wall clock.
 */
export function estimateBestMs(world: World, startedAt: number, sizeBytes: number): number {
  const startMs = startedAt - performance.timeOrigin
  const since = (part: Link | LastMile): RateSchedule => rebaseSchedule(part.rateHistory, startMs - part.startedAtMs)
  return estimateIdealMs({
    sizeBytes,
    roundTripMs: Math.min(...world.plan.paths.map((path) => 2 * path.delayMs)),
    lastMile: since(world.lastMile),
    paths: world.servers.map((server) =>
      combineSchedules([since(server.link), lifeOf(server, startMs)], (rates) => Math.min(...rates)),
    ),
  })
}

function lifeOf({ process }: WorldServer, startMs: number): RateSchedule {
  const steps = process.lives.map(({ atMs, isUp }) => ({ atMs, bytesPerSecond: isUp ? unlimitedBytesPerSecond : 0 }))
  return rebaseSchedule(steps, startMs)
}
