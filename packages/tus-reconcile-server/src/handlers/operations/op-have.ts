import type { HaveAnswer, HaveRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount } from 'tus-reconcile-protocol'
import { type Attaching, attachKnown } from '../../groups/attach.js'
import type { Group } from '../../groups/group.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import { rangesIn } from '../../groups/verification.js'

/**
 * Which of these blocks the group holds verified at these very offsets, after what the scope has of them was
 * copied there. The answer depends on nothing beyond that scope.
 */
export async function have(group: Group, request: HaveRequest, by: Attaching): Promise<HaveAnswer> {
  refuseEnded(group)
  const count = blockCount(group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER)
  const asked = request.blocks
    .map(({ start, leaf }) => ({ index: start / BLOCK_SIZE, leaf }))
    .filter(({ index }) => Number.isInteger(index) && index < count)
  await attachKnown(group, asked, by)
  const held = asked.filter(({ index, leaf }) => group.blocks.verifiedLeaf(index) === leaf)
  return {
    attached: rangesIn(
      group,
      held.map(({ index }) => index),
    ),
  }
}
