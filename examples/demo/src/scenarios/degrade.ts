import { SLOWED } from '../control.js'
import type { OpenBody, RangesInSight } from '../ranges-in-sight.js'
import { sleep } from '../waiting.js'
import type { WorldServer } from '../world.js'
import { ratesOf } from '../world-plan.js'
import { drawDegrade } from './moments.js'
import { percent, type Stage, shareSent, untilShare, untilWire } from './stage.js'

/** A body with so much left is worth a stall, as a share of it or in bytes (the issue's own words). */
const WORTHWHILE_SHARE = 0.25
const WORTHWHILE_BYTES = 512 * 1024
/** The primary slows by then, whatever it carries: this share of the file after the drawn moment (guess). */
const LATEST_AFTER = 0.1
/** At most so much may be unannounced: one block, which is sent and done long before anybody misses the stalled one. */
const LAST_PIECE_BYTES = 256 * 1024
/** The file's last rest can be a body of a few bytes: others are better (guess). */
const LEAST_BYTES = 64 * 1024

/**
 * The primary's path falls to a twentieth in mid-file and comes back later; then, when nothing is unsent any more, a
 * mirror that carries bytes stalls silently and stays so until the upload has ended.
 */
export async function degrade(stage: Stage): Promise<void> {
  const moments = drawDegrade(stage)
  const [primary, ...mirrors] = stage.world.servers
  if (!primary) return
  await untilShare(stage, moments.slowAt)
  await untilMuchOnItsWay(stage, primary, moments.slowAt + LATEST_AFTER)
  primary.link.set({ upBytesPerSecond: primary.path.upBytesPerSecond * SLOWED })
  stage.log.note(0, 'slow', `path slowed to 1/20 at ${percent(shareSent(stage))} of the file`)
  if (mirrors.length === 0) await sleep(moments.backAfterMs, stage.signal)
  else await untilShare(stage, moments.backAt)
  primary.link.set(ratesOf(primary.path))
  stage.log.note(0, 'normal', `path back at full rate at ${percent(shareSent(stage))} of the file`)
  if (mirrors.length > 0) await stallAtTheEnd(stage, mirrors, moments.pick)
}

/** A path that slows at the very end of a body harms nobody: it does so while the path has much to carry. */
async function untilMuchOnItsWay(stage: Stage, primary: WorldServer, latestShare: number): Promise<void> {
  await untilWire(stage, () => {
    const bodies = stage.world.wire.ranges?.openBodies() ?? []
    const isLoaded = bodies.some(
      ({ server, leftBytes }) => server === primary.index && leftBytes >= 2 * WORTHWHILE_BYTES,
    )
    return isLoaded || shareSent(stage) >= latestShare ? true : undefined
  })
}

async function stallAtTheEnd(stage: Stage, mirrors: readonly WorldServer[], pick: number): Promise<void> {
  const body = await untilWire(stage, () => chooseVictim(stage.world.wire.ranges, mirrors, pick))
  const victim = stage.world.servers[body.server]
  if (!victim) return
  victim.link.stall()
  const left = `${Math.round(body.leftBytes / 1024)} KiB of its body left`
  stage.log.note(body.server, 'stall', `stalled silently, nothing unsent any more, ${left}`)
}

/**
 * A mirror's body on its way, once the bodies on all wires together cover the file but for its last block at most: drawn among the worthwhile ones,
 * else the one with most left.
 */
export function chooseVictim(
  ranges: RangesInSight | undefined,
  mirrors: readonly { readonly index: number }[],
  pick: number,
): OpenBody | undefined {
  if (!ranges || ranges.unannouncedBytes > LAST_PIECE_BYTES) return undefined
  const isCovered = ranges.isCovered
  const bodies = ranges
    .openBodies()
    .filter((body) => mirrors.some((mirror) => mirror.index === body.server))
    .sort((a, b) => b.leftBytes - a.leftBytes)
  const worthwhile = bodies.filter(
    ({ leftBytes, bodyBytes }) =>
      leftBytes >= WORTHWHILE_BYTES || leftBytes >= Math.max(LEAST_BYTES, WORTHWHILE_SHARE * bodyBytes),
  )
  // with a last piece still to be announced a mirror may be idle when it is: one that carries much is taken now
  if (!isCovered) return bodies.find(({ leftBytes }) => leftBytes >= LAST_PIECE_BYTES / 2)
  return worthwhile[Math.min(Math.floor(pick * worthwhile.length), worthwhile.length - 1)] ?? bodies[0]
}
