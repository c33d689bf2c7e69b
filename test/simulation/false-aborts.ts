import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { everythingDone } from '../../packages/uppy-adaptive/src/testing/simulated-clock.js'
import type { LinkTrace } from '../bench/predictor/link-trace.js'
import { LIBRARY_BLOCKS } from './content.js'
import { Coverage } from './coverage.js'
import type { EndingCosts } from './endings.js'
import { Endings } from './endings.js'
import type { Scenario } from './scenario.js'
import { World } from './world.js'

/** How finely the link's rate is followed. */
const STEP_MS = 100
/** A faster link is slowed to this mean, bytes per second: an upload of the library then takes minutes, on any of them. */
const MOST_BYTES_PER_SECOND = 50_000
const FASTER_THAN_ANY = 1e9
/** How long the last mile's queue is at its mean rate, one upload after another: fair to what is small, usual, and bloated. */
const QUEUES_MS = [0, 250, 1_500]
/** No upload takes longer on any of them. */
const NEVER_MS = 4 * 3_600_000

/** What was ended on one link where nothing is at fault but that it is what it is. */
export interface FalseAborts extends EndingCosts {
  readonly link: string
  readonly servers: number
  readonly uploads: number
  /** While the link carried anything. */
  readonly liveMs: number
  /** Beyond each byte once: by what was ended, and by copies. */
  readonly resentBytes: number
}

/**
 * Whole uploads of the engine over a link that all servers share, from random moments of it on, one after the other until so
 * much live transfer was seen. Every server is well and every connection goes on where the link does, so that whatever is
 * ended was ended for nothing. TCP's own waiting after an outage is not in it.
 */
export async function countFalseAborts(
  trace: LinkTrace,
  o: { servers: number; liveMs: number; random: () => number; seed: number },
): Promise<FalseAborts> {
  const seen = { uploads: 0, liveMs: 0, resentBytes: 0 }
  const endings = new Endings()
  while (seen.liveMs < o.liveMs) {
    const lastMileQueueMs = QUEUES_MS[seen.uploads % QUEUES_MS.length] ?? 0
    const scenario = { ...healthyScenario(o.seed + seen.uploads, o.servers), lastMileQueueMs }
    const world = new World(scenario, new Coverage(), {
      onEvent: (_client, event) => endings.note(event),
      onFault: () => {},
    })
    seen.uploads += 1
    seen.liveMs += await carry(world, trace, o.random() * trace.lengthMs)
    const sentBytes = world.servers.reduce((sum, { bodies }) => sum + bodies.receivedBytes, 0)
    seen.resentBytes += sentBytes - scenario.sizeBytes
  }
  const { reconnects, takeOvers, silentMs, waitedMs } = endings
  return { link: trace.name, servers: o.servers, ...seen, reconnects, takeOvers, silentMs, waitedMs }
}

/** Runs the upload to its end; how long the link carried anything meanwhile. @throws Error where it does not end well */
async function carry({ client, clock, lastMile }: World, trace: LinkTrace, offsetMs: number): Promise<number> {
  const pace = Math.min(1, MOST_BYTES_PER_SECOND / (trace.meanBytesPerMs * 1_000))
  let liveMs = 0
  while (client.outcome.kind === 'running' && clock.now() < NEVER_MS) {
    const bytesPerMs = trace.bytesPerMsAt(offsetMs + clock.now()) * pace
    lastMile.upBytesPerSecond = bytesPerMs * 1_000
    lastMile.isOut = bytesPerMs === 0
    await clock.run(STEP_MS)
    await everythingDone()
    if (bytesPerMs > 0) liveMs += STEP_MS
  }
  if (client.outcome.kind === 'done') return liveMs
  throw new Error(`an upload over ${trace.name} from ${offsetMs} ms on: ${JSON.stringify(client.outcome)}`)
}

function healthyScenario(seed: number, servers: number): Scenario {
  const routes = Array.from({ length: servers }, (_, server) => ({
    ...{ server, delayMs: 20 + 15 * server, upBytesPerSecond: FASTER_THAN_ANY },
  }))
  return {
    ...{ seed, servers, routes, lastMileBytesPerSecond: MOST_BYTES_PER_SECOND },
    ...{ peerDelayMs: 10, commitMs: 100, expireMs: 24 * 3_600_000 },
    ...{ firstBlock: 0, sizeBytes: (LIBRARY_BLOCKS - 1) * BLOCK_SIZE },
    ...{ options: {}, faults: [], healedMs: 0 },
  }
}
