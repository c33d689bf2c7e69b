import { BLOCK_SIZE, blockCeil } from 'tus-reconcile-protocol'

/** A session that is uploading now, as the split rules see it. Offsets absolute, bytes. */
export interface SplitCandidate {
  readonly acked: number
  readonly end: number
  readonly rateBytesPerSecond: number
}

/**
 * Where a slow session should end: what it can finish in `windowMs` at its rate stays with it, at least one block, the
 * rest moves. Undefined when less than a block would move.
 */
export function decideSlowSplit(victim: SplitCandidate, windowMs: number, sizeBytes: number): number | undefined {
  const keeps = Math.max((victim.rateBytesPerSecond * windowMs) / 1000, 1)
  return boundary(victim, victim.acked + keeps, sizeBytes)
}

/** Where a session should end so that its last `bytes` are another's; at most half of what it has left, undefined under a block. */
export function decideTail(
  victim: Pick<SplitCandidate, 'acked' | 'end'>,
  bytes: number,
  sizeBytes: number,
): number | undefined {
  return boundary(victim, victim.end - Math.min(bytes, (victim.end - victim.acked) / 2), sizeBytes)
}

/**
 * Where to split for an idle thief so that both finish together: the tail x = r_t (R − r_v setup) / (r_t + r_v) of the
 * remaining R bytes (METHODS, Scheduling). Undefined when the tail is not worth a request: under a block, or under two
 * set-up times of the thief's rate.
 */
export function decideSteal(
  victim: SplitCandidate,
  thief: { rateBytesPerSecond: number; setupMs: number },
  sizeBytes: number,
): number | undefined {
  const remaining = victim.end - victim.acked
  const { rateBytesPerSecond: rate, setupMs } = thief
  const setupSeconds = setupMs / 1000
  const tail = (rate * (remaining - victim.rateBytesPerSecond * setupSeconds)) / (rate + victim.rateBytesPerSecond)
  if (!(tail >= Math.max(BLOCK_SIZE, 2 * setupSeconds * rate))) return undefined
  return boundary(victim, victim.end - tail, sizeBytes)
}

function boundary(victim: Pick<SplitCandidate, 'acked' | 'end'>, at: number, sizeBytes: number): number | undefined {
  const end = blockCeil(at, sizeBytes)
  return victim.end - end >= BLOCK_SIZE && end > victim.acked ? end : undefined
}
