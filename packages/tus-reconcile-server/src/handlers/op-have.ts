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
  const blocks = held.map(({ start }) => start / BLOCK_SIZE)
  if (blocks.length > 0) group.notify({ kind: 'reused', group, blocks })
  return { attached: rangesIn(group, blocks) }
}
