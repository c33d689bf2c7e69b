import type { Sha256 } from 'tus-reconcile-protocol'
import { blockCount, blockRange, encodeDigest, merkleTop, rootOfSubtrees, SUBTREE_BLOCKS } from 'tus-reconcile-protocol'
import type { Clock } from '../ports.js'
import { LONGEST_TASK_MS } from '../waiting/short-tasks.js'
import type { BlockLeaves } from './block-leaves.js'

/**
 * The whole file's digest from those of its blocks, of which missing ones are read: 150,000 hashes for 20 GB, which hold up
 * nothing else. Without meaning once the signal has fired.
 */
export async function digestOfFile(
  leaves: Pick<BlockLeaves, 'compute' | 'between'>,
  o: { sizeBytes: number; sha256: Sha256; clock: Pick<Clock, 'now' | 'breathe'>; signal: AbortSignal },
): Promise<string> {
  const { sizeBytes, sha256, clock, signal } = o
  const count = blockCount(sizeBytes)
  const tops: Uint8Array[] = []
  let sinceMs = clock.now()
  for (let first = 0; first < count && !signal.aborted; first += SUBTREE_BLOCKS) {
    const last = Math.min(first + SUBTREE_BLOCKS, count)
    // one may have been forgotten while others had their turn
    await leaves.compute(
      { start: blockRange(first, sizeBytes).start, end: blockRange(last - 1, sizeBytes).end },
      signal,
    )
    tops.push(await merkleTop(leaves.between(first, last), sha256))
    if (clock.now() - sinceMs < LONGEST_TASK_MS) continue
    await clock.breathe()
    sinceMs = clock.now()
  }
  return encodeDigest(await rootOfSubtrees(tops, sizeBytes, sha256))
}
