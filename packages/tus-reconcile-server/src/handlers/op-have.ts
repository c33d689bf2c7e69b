import type { HaveAnswer, HaveRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { Group } from '../groups/group.js'
import { refuseEnded } from '../groups/sessions.js'
import { rangesIn } from '../groups/verification.js'

/** Which of these blocks the group holds verified at these very offsets. */
export function have(group: Group, request: HaveRequest): HaveAnswer {
  refuseEnded(group)
  const verified = group.blocks.verifiedLeaves()
  const held = request.blocks.filter(({ start, leaf }) => verified.get(start / BLOCK_SIZE) === leaf)
  return {
    attached: rangesIn(
      group,
      held.map(({ start }) => start / BLOCK_SIZE),
    ),
  }
}
