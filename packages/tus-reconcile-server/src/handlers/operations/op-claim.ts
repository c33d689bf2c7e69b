import type { ClaimAnswer, ClaimRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount } from 'tus-reconcile-protocol'
import { type Attaching, attachKnown } from '../../groups/attach.js'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import { claimBlocks, type LeafAt, rangesIn } from '../../groups/verification.js'

/**
 * Which digests the client's bytes have. Those that are here already are compared at once; blocks that its scope
 * has elsewhere are copied here, whether they are sent or not.
 */
export async function claim(group: Group, request: ClaimRequest, by: Attaching): Promise<ClaimAnswer> {
  refuseEnded(group)
  const count = blockCount(group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER)
  const leaves: LeafAt[] = []
  for (const { start, leaves: digests } of request.claims) {
    if (start % BLOCK_SIZE !== 0) {
      throw new Refusal('bad-request', `a claim starts at a multiple of ${BLOCK_SIZE}, not at ${start}`)
    }
    const first = start / BLOCK_SIZE
    if (first + digests.length > count) throw new Refusal('bad-request', 'a claim reaches beyond the file')
    digests.forEach((leaf, i) => {
      leaves.push({ index: first + i, leaf })
    })
  }
  const result = await claimBlocks(group, leaves)
  const attached = new Set(await attachKnown(group, [...result.open, ...result.noRoom], by))
  if (result.noRoom.some(({ index }) => !attached.has(index))) {
    const headers = { 'Retry-After': '5' }
    throw new Refusal('too-many', 'too many digests are claimed ahead of their bytes: send these first', { headers })
  }
  const claimed = new Set(request.claims.map((entry) => entry.session))
  const lost = [...claimed].filter((id) => (group.unseen.get(id) ?? group.statuses.get(id)?.status) === 'superseded')
  const verified = [...result.verified, ...attached]
  return {
    verified: rangesIn(group, verified),
    // earlier copies too: the answer that named them may have been lost
    attached: rangesIn(
      group,
      verified.filter((index) => group.blocks.isAttached(index)),
    ),
    bad: rangesIn(
      group,
      result.bad.filter((index) => !attached.has(index)),
    ),
    superseded: [...new Set([...result.superseded, ...lost])],
    conflict: rangesIn(group, result.conflict),
  }
}
